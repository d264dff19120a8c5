"""How points fade with the age of their event: the curve in Python, and the same curve in SQL. Pure.

none       1 at every age
half_life  halves with every period
linear     falls in a straight line and is 0 once the period has passed
step       whole until the period has passed, 0 from then on
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from contacts.durations import BadDuration, parse_duration

KINDS = ("none", "half_life", "linear", "step")
# PostgreSQL refuses a power that underflows to zero; 2^-1000 is zero to everybody who looks at a score.
MOST_HALVINGS = 1000.0
_LN2 = math.log(2.0)  # in PostgreSQL exp() costs half of what power() does


class BadDecay(ValueError):
    """Not a decay; `field` says which part of it is wrong (empty: the whole)."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Decay:
    """`seconds` is the period in physical time, already divided by the speed of the installation."""

    kind: str = "none"
    seconds: float = 0.0


def parse_decay(raw: object, *, speed: float) -> Decay:
    """{"type": none|half_life|linear|step, "period": "P30D"}; {} and None mean none. Raises BadDecay."""
    if raw is None or raw == {}:
        return Decay()
    if not isinstance(raw, dict):
        raise BadDecay("", "expected an object with type and period")
    unknown = sorted(set(raw) - {"type", "period"})
    if unknown:
        raise BadDecay(unknown[0], "unknown key")
    kind = raw.get("type")
    if kind not in KINDS:
        raise BadDecay("type", f"expected one of {', '.join(KINDS)}")
    if kind == "none":
        return Decay()
    try:
        seconds = parse_duration(raw.get("period", "")).total().total_seconds()
    except BadDuration as error:
        raise BadDecay("period", str(error)) from error
    if seconds <= 0:
        raise BadDecay("period", "must be longer than nothing")
    return Decay(kind=kind, seconds=seconds / speed)


def remaining(decay: Decay, age: float) -> float:
    """The share of the points that is left at an age of `age` >= 0 seconds (infinity is an age)."""
    if decay.kind == "half_life":
        return 2.0 ** -min(age / decay.seconds, MOST_HALVINGS) if age != float("inf") else 0.0
    if decay.kind == "linear":
        return max(0.0, 1.0 - age / decay.seconds)
    if decay.kind == "step":
        return 1.0 if age < decay.seconds else 0.0
    return 1.0


def remaining_sql(decay: Decay, age: str) -> str:
    """The same as a float8 expression over `age`, a float8 expression of seconds."""
    seconds = f"{decay.seconds!r}::float8"
    if decay.kind == "half_life":
        return f"exp(-LEAST({age} * {_LN2 / decay.seconds!r}::float8, {MOST_HALVINGS * _LN2!r}::float8))"
    if decay.kind == "linear":
        return f"GREATEST(0::float8, 1 - {age} / {seconds})"
    if decay.kind == "step":
        return f"CASE WHEN {age} < {seconds} THEN 1::float8 ELSE 0 END"
    return "1::float8"
