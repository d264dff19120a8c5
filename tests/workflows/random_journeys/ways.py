"""What must be true of every journal, whatever was made and whatever went wrong: no step twice, none skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """Of the journal, in the order of `seq`."""

    seq: int
    step: str
    outcome: str
    port: str


@dataclass(frozen=True)
class End:
    """Where the enrolment stands."""

    state: str
    step: str
    seq: int


def fault_in(definition: Mapping[str, Any], rows: Sequence[Row], end: End) -> str:
    """What is wrong with the way that an enrolment took through a definition, in words; empty where it is right: each
    step leads to the next by the port that it was left by, a wait is followed by its own end, nothing by nothing."""
    steps: Mapping[str, Any] = definition["steps"]
    if [row.seq for row in rows] != list(range(1, len(rows) + 1)):
        return f"seq is {[row.seq for row in rows]}"
    if end.seq != len(rows):
        return f"the enrolment counts {end.seq} rows of {len(rows)}"
    at: str | None = definition["start"]
    waits = False
    for row in rows:
        if at is None:
            return f"row {row.seq} comes after the end"
        if row.step != at or row.step not in steps:
            return f"row {row.seq} is at {row.step}, and the way leads to {at}"
        match row.outcome:
            case "waiting" if waits:
                return f"{row.step} was waited at twice"
            case "waiting":
                waits = True
            case "advanced" if row.port not in steps[row.step]["next"]:
                return f"{row.step} has no port {row.port!r}"
            case "advanced":
                at, waits = steps[row.step]["next"][row.port], False
            case "left":
                at, waits = None, False
            case other:
                return f"row {row.seq} says {other}"
    return _fault_at_the_end(rows, end, at, waits)


def _fault_at_the_end(rows: Sequence[Row], end: End, at: str | None, waits: bool) -> str:
    left = bool(rows) and rows[-1].outcome == "left"
    expected = "exited" if left else "completed" if at is None else "waiting" if waits else "active"
    if end.state != expected and not (expected == "active" and end.state == "pending" and not rows):
        return f"it is {end.state} and should be {expected}"
    if at is not None and end.step != at:
        return f"it stands at {end.step} and should stand at {at}"
    return ""
