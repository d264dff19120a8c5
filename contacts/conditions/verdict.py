"""What editors and integrators are told about a condition: its sentence, or everything that is wrong with it. Pure."""

from __future__ import annotations

from typing import Any

from contacts.conditions.explain import explain
from contacts.conditions.grammar import CONTACT, parse
from contacts.conditions.tree import BadCondition


def verdict(tree: object, *, scope: frozenset[str] = CONTACT) -> dict[str, Any]:
    """`{valid, sentence, problems: [{path, code, message}]}` of a condition as it stands in JSON; the sentence is None
    where there are problems."""
    try:
        return {"valid": True, "sentence": explain(parse(tree, scope=scope)), "problems": []}
    except BadCondition as error:
        problems = [{"path": each.path, "code": each.code, "message": each.message} for each in error.problems]
        return {"valid": False, "sentence": None, "problems": problems}
