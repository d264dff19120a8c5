"""Conditions inside definitions: what they may ask about at their place, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contacts.conditions import BadCondition, parse
from workflows.definition.problems import Problem

EVENT_SCOPE = frozenset({"contact", "event"})  # a trigger's filter
STEP_SCOPE = frozenset({"contact", "trigger"})  # a step: the contact now, and the event that brought it here
HAPPENED_SCOPE = STEP_SCOPE | EVENT_SCOPE  # an event that is waited for, or that ends the journey


def condition_problems(tree: Any, step: str | None, field: str, scope: frozenset[str]) -> Iterator[Problem]:
    """The problems of a condition at `field`; nothing where there is no condition."""
    if tree is None:
        return
    try:
        parse(tree, scope=scope)
    except BadCondition as error:
        for problem in error.problems:
            place = f"{field}.{problem.path}" if problem.path else field
            yield Problem(step, place, problem.code, problem.message)
