"""Scoring rules in the words of people."""

from __future__ import annotations

from typing import Any

from contacts.conditions import explain, parse
from contacts.durations import BadDuration, parse_duration


def sentence(signal: Any) -> str:
    """What earns the points, in English. Raises BadCondition for what is not a signal."""
    said = explain(parse(signal))
    each = isinstance(signal, dict) and set(signal) <= {"event", "where"}
    return f"{said}, each time" if each else said


def fading(decay: Any) -> str:
    """How the points of an event fade with its age."""
    kind = decay.get("type", "none") if isinstance(decay, dict) else "none"
    if kind == "none":
        return "never"
    period = span(str(decay.get("period", "")))
    return {"half_life": f"halves every {period}", "linear": f"gone after {period}"}.get(kind, f"in steps of {period}")


def span(period: str) -> str:
    """`P30D` -> `30 days`."""
    try:
        duration = parse_duration(period)
    except BadDuration:
        return period
    hours = duration.elapsed.total_seconds() / 3600
    parts = [f"{duration.days} day{'' if duration.days == 1 else 's'}"] if duration.days else []
    parts += [f"{hours:g} hour{'' if hours == 1 else 's'}"] if hours else []
    return " and ".join(parts) or period
