"""How large a definition may be. Looked at first and in one walk, so that everything after it works on something small,
and whoever sends a heap gets one clear answer instead of thousands. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contacts.collect import strict_json
from contacts.faults import Fault
from workflows.definition.problems import Problem
from workflows.definition.schema import STEP_LIMIT

LARGEST = 1_000_000  # bytes of a definition as JSON
MOST_VALUES = 200_000  # in it: what YAML repeats by reference counts as often as it stands there
WIDEST = 2_000  # names in one object
PROBLEMS = 200  # that are told at once
DEFINITION = strict_json.Limits(depth=64, string=LARGEST, total=LARGEST)


def fault_of(definition: Any) -> Fault | None:
    """What keeps a definition from being stored at all, as the first place where it is so: too large, too deep, or
    nothing that JSON and PostgreSQL can hold."""
    return _too_much(definition) or strict_json.fault_in(definition, DEFINITION)


def problem_of(definition: Any) -> Problem | None:
    """Too many steps, which a draft may have and a version may not; otherwise as `fault_of`."""
    steps = definition.get("steps") if isinstance(definition, dict) else None
    if isinstance(steps, dict) and len(steps) > STEP_LIMIT:
        return Problem(None, "steps", "too_many", f"there are {len(steps):,} steps; at most {STEP_LIMIT} are allowed")
    if fault := fault_of(definition):
        return Problem(None, ".".join(str(part) for part in fault.loc), fault.code, f"this {fault.msg}")
    return None


def _too_much(value: Any) -> Fault | None:
    """By a walk that stops in time, however often the same part is repeated; its depth is looked at elsewhere."""
    todo: list[tuple[str | int, Iterator[tuple[str | int, Any]]]] = [("", iter([("", value)]))]
    seen = 0
    while todo:
        for name, member in todo[-1][1]:
            seen += 1
            if seen > MOST_VALUES:
                return Fault("too_large", f"holds more than {MOST_VALUES:,} values")
            if isinstance(member, dict) and len(member) > WIDEST:
                fault = Fault("too_wide", f"has {len(member):,} names; at most {WIDEST:,} are allowed in one place")
                return fault.below(*(at for at, _ in todo[2:]), name) if len(todo) > 1 else fault
            if len(todo) <= DEFINITION.depth and isinstance(member, dict | list):
                todo.append((name, iter(member.items() if isinstance(member, dict) else enumerate(member))))
                break
        else:
            todo.pop()
    return None
