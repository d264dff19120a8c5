"""The README of the language names everything there is in it."""

from __future__ import annotations

import re
from pathlib import Path

import contacts.conditions as language
from contacts.conditions.operators import OPERATORS
from tests.contacts.conditions.test_grammar import MISTAKES
from tests.contacts.conditions.test_registry import BUILT_IN

HERE = Path(language.__file__).parent
README = (HERE / "README.md").read_text()


def test_every_operator_builtin_field_and_door_is_in_the_readme():
    words = set(re.findall(r"\w+", README))
    doors = {"parse", "compile_condition", "matching_contacts", "explain", "register_field", "register_node"}
    assert {*OPERATORS, *BUILT_IN, *doors} - words == set()


def test_every_code_of_a_problem_is_in_the_readme_and_no_other():
    codes = {code for _, (_, code) in MISTAKES} | {"too_deep", "too_wide"}
    table = README.split("## What is refused")[1].split("##")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {code for row in rows for code in re.findall(r"`(\w+)`", row)} == codes
