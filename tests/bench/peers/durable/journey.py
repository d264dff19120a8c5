"""One step of the bench's journey: read the person, take a way, write it down."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

READY, GO, DONE = "ready", "go", "done"
READ = """
SELECT e.step, e.seq, c.attributes FROM naive_naiveenrolment e JOIN contacts c ON c.id = e.contact_id WHERE e.id = %s
"""
MOVE = """
UPDATE naive_naiveenrolment SET step = %s, seq = %s, state = %s, updated_at = now() WHERE id = %s
"""
LOG = "INSERT INTO naive_naivelog (enrolment_id, seq, step, port, at) VALUES (%s, %s, %s, %s, now())"

with open(os.environ["NAIVE_DEFINITION"], encoding="utf-8") as _file:
    STEPS: dict[str, Any] = json.load(_file)["steps"]


def way(step: str, attributes: dict[str, Any]) -> tuple[str, str | None]:
    """The port, and the step behind it."""
    arms = STEPS[step]["config"]["arms"]
    port = next((arm["key"] for arm in arms if holds(arm["if"], attributes)), "else")
    return port, STEPS[step]["next"][port]


def holds(condition: dict[str, Any], attributes: dict[str, Any]) -> bool:
    """The few kinds of conditions that the bench's journey has."""
    match condition:
        case {"all": parts}:
            return all(holds(part, attributes) for part in parts)
        case {"any": parts}:
            return any(holds(part, attributes) for part in parts)
        case {"field": field, "op": "eq", "value": value}:
            return attributes.get(field) == value
        case {"field": field, "op": "in", "value": values}:
            return attributes.get(field) in values
        case {"field": field, "op": "gte", "value": value}:
            return attributes.get(field) is not None and attributes[field] >= value
        case {"field": field, "op": "contains", "value": value}:
            return value.lower() in (attributes.get(field) or "").lower()
    raise ValueError(f"there is no such condition in the bench: {condition}")


def play(work: Callable[[], object]) -> None:
    """Says when it is ready, begins when it is told to, and stays until its cost was read."""
    print(READY, flush=True)
    if sys.stdin.readline().strip() == GO:
        work()
        print(DONE, flush=True)
        sys.stdin.readline()
