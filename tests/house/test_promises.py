"""`docs/promises.md` names drills, tests and mutants: they are there, and no promise goes without."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from django.conf import settings

from tests.drills.__main__ import DRILLS

ROOT = Path(settings.BASE_DIR)
APPS = ("config", "contacts", "workflows", "delivery", "scoring", "analytics")
MUTANT = re.compile(r'\bmutant\(\s*"([\w.]+)"')


def rows() -> dict[str, list[str]]:
    """By number: promise, drills, tests, mutants."""
    lines = (ROOT / "docs/promises.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:6]] for line in lines if re.match(r"\| *I\d+ *\|", line)]
    return {number: rest for number, *rest in cells}


def named(cell: str) -> list[str]:
    return re.findall(r"`([\w/.:]+)`", cell)


def built_in() -> set[str]:
    files = [path for app in APPS for path in (ROOT / app).rglob("*.py")]
    return {name for path in files for name in MUTANT.findall(path.read_text(encoding="utf-8"))}


def test_every_promise_has_a_row_and_every_row_a_proof():
    assert list(rows()) == [f"I{number}" for number in range(1, 26) if number != 24]
    assert [number for number, (_, drills, tests, _) in rows().items() if not drills and not tests] == []


def test_the_drills_and_tests_that_it_names_are_there():
    missing = []
    for number, (_, drills, tests, _) in rows().items():
        missing += [f"{number}: drill {name}" for name in named(drills) if name not in DRILLS]
        for place in named(tests):
            path, _, name = place.partition("::")
            tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
            if name not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
                missing.append(f"{number}: {place}")
    assert missing == []


def test_every_drill_and_every_mutant_of_the_code_is_named_and_a_drill_plays_those_of_its_row():
    assert {name for _, drills, _, _ in rows().values() for name in named(drills)} == set(DRILLS)
    assert {name for *_, mutants in rows().values() for name in named(mutants)} == built_in()
    played = {name: set(make().mutants) for name, make in DRILLS.items()}
    simulated = "withdrawals_are_not_drained"  # by the simulation alone
    for number, (_, drills, _, mutants) in rows().items():
        those = set().union(*(played[name] for name in named(drills)))
        assert set(named(mutants)) - {simulated} <= those, number
