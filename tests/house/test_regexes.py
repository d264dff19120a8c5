"""No regular expression of the house can be made to run for ever, and nobody brings one of their own."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from contacts.conditions import operators
from tests.house.ambiguity import is_hopeless

FLOORS = ("contacts", "scoring", "delivery", "workflows", "analytics", "config")
NOT_LOADED = {"config.wsgi", "config.web", "config.reference.site"}  # they start something, or need what is not there
ROOT = Path(settings.BASE_DIR)


def compiled() -> dict[str, re.Pattern[str] | re.Pattern[bytes]]:
    """Where it stands -> every expression that a module keeps, also in tuples and dictionaries."""
    found = {}
    for floor in FLOORS:
        package = importlib.import_module(floor)
        for module in pkgutil.walk_packages(package.__path__, f"{floor}."):
            if ".migrations" in module.name or module.name in NOT_LOADED:
                continue
            for name, value in vars(importlib.import_module(module.name)).items():
                for number, each in enumerate(_within(value)):
                    found[f"{module.name}.{name}[{number}]"] = each
    return found


def _within(value: object) -> list[re.Pattern]:
    if isinstance(value, re.Pattern):
        return [value]
    if isinstance(value, dict):
        return [each for item in value.items() for each in _within(item)]
    if isinstance(value, list | tuple | set | frozenset):
        return [each for item in value for each in _within(item)]
    return []


def spoken() -> dict[str, str]:
    """Where it stands -> every expression that is written where it is used."""
    found = {}
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            for node in calls(path):
                if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
                    found[f"{path.relative_to(ROOT)}:{node.lineno}"] = node.args[0].value
    return found


def calls(path: Path) -> list[Any]:
    """Of functions of `re`, with the expression first."""
    return [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).startswith("re.")
    ]


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*$", "(a*)*b", r"(\w+\s?)*$", "(.*a)*x", "(a|ab|b)*c", "(?:a?b?)*c", "([a-z]+){2,}!"]
)
def test_an_expression_that_doubles_its_work_is_found(pattern):
    assert is_hopeless(pattern)


@pytest.mark.parametrize(
    "pattern",
    [r"(?:[a-z]+\.)+[a-z]+", r"[^@\s]+@[^@\s]+", "(?:[0-9a-f]{2})+", "(a|b)*c", r"\s+x", '"(?:[^"\\\\]|\\\\.)*"'],
)
def test_one_that_does_not_is_left_alone(pattern):
    assert not is_hopeless(pattern)


def test_no_expression_of_ours_can_be_made_to_run_for_ever():
    kept, used = compiled(), spoken()
    assert len(kept) > 80 and len(used) > 100, (len(kept), len(used))
    bad = [
        where for where, each in kept.items() if isinstance(each.pattern, str) and is_hopeless(each.pattern, each.flags)
    ]
    bad += [
        where
        for where, each in kept.items()
        if isinstance(each.pattern, bytes) and is_hopeless(each.pattern.decode("latin-1"), each.flags | re.ASCII)
    ]
    bad += [where for where, pattern in used.items() if is_hopeless(pattern)]
    assert bad == []


def test_nobody_brings_an_expression_of_their_own():
    """Conditions compare; none of their operators takes an expression. What is put together while the house runs is
    made of constants, of what was escaped, and of marks that we make ourselves."""
    assert not any(re.search("regex|match|like", name) for name in operators._BY_NAME)
    assert [each for each in made_while_running() if not each[1]] == []


# Pieces that are marks of our own (letters alone) or expressions of ours under another name.
OURS = {"mark", "stem", "guarded.stem", "pattern", "_pattern", "TAG.pattern", "_whole(name)"}


def made_while_running() -> list[tuple[str, bool]]:
    """(where and what, whether nothing from outside is in it) of every expression that is no plain text."""
    found = []
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            for node in calls(path):
                if node.func.attr != "escape" and not isinstance(node.args[0], ast.Constant):
                    where = f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node.args[0])[:100]}"
                    found.append((where, all(is_ours(piece) for piece in pieces(node.args[0]))))
    assert len(found) > 10
    return found


def pieces(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.JoinedStr):
        return [each.value if isinstance(each, ast.FormattedValue) else each for each in node.values]
    if isinstance(node, ast.BinOp):
        return [*pieces(node.left), *pieces(node.right)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "join":
        (joined,) = node.args
        return pieces(joined.elt) if isinstance(joined, ast.GeneratorExp) else [joined]
    if isinstance(node, ast.IfExp):
        return [*pieces(node.body), *pieces(node.orelse)]
    return [node]


def is_ours(piece: ast.expr) -> bool:
    text = ast.unparse(piece)
    return (
        isinstance(piece, ast.Constant)
        or (isinstance(piece, ast.Name) and piece.id.isupper())
        or text.startswith("re.escape(")
        or text in OURS
    )
