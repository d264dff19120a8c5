"""Scoring rules in the words of people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from contacts.conditions import BadCondition, explain, parse
from contacts.durations import BadDuration, parse_duration

_EACH = {"event", "where", "within"}  # a signal of these counts each event; any other is a condition


def sentence(signal: Any) -> str:
    """What earns the points, in English. Raises BadCondition for what is not a signal."""
    said = explain(parse(signal))
    return f"{said}, each time" if counts_each(signal) else said


def told(signal: Any) -> str:
    """The same; the JSON of what can no longer be said."""
    try:
        return sentence(signal)
    except BadCondition:
        return json.dumps(signal, ensure_ascii=False)


def counts_each(signal: Any) -> bool:
    """Whether the points are for every event, not for a condition."""
    return isinstance(signal, Mapping) and "event" in signal and set(signal) <= _EACH


def fading(decay: Any) -> str:
    """How the points of an event fade with its age."""
    kind = decay.get("type", "none") if isinstance(decay, Mapping) else "none"
    if kind == "none":
        return "never"
    period = span(str(decay.get("period", "")))
    if kind == "half_life":
        return f"halves every {period}"
    return f"falls evenly to nothing in {period}" if kind == "linear" else f"whole for {period}, then nothing"


def repeating(repeat: Any) -> str:
    """Which of the events count; empty where all do."""
    policy = repeat.get("policy", "every_time") if isinstance(repeat, Mapping) else "every_time"
    if policy == "once":
        return "only the newest counts"
    if policy == "once_per":
        period = span(str(repeat.get("period", "")))
        return f"at most once {'a day' if period == '1 day' else 'an hour' if period == '1 hour' else f'in {period}'}"
    return ""


def bounds(rule: Mapping[str, Any]) -> list[str]:
    """What a rule as it is written says beside its signal and its points, each a few words."""
    said = [] if fading(rule.get("decay")) == "never" else [fading(rule.get("decay"))]
    said += [repeating(rule.get("repeat"))] if repeating(rule.get("repeat")) else []
    said += [f"{number(rule['cap'])} points at most"] if rule.get("cap") is not None else []
    said += [f"within the group “{rule['group']}”"] if rule.get("group") else []
    said += ["opens and clicks by machines count, too"] if rule.get("human_only") is False else []
    return said


def left_out(repeat: Any) -> str:
    """Why an event of a repeated rule gives nothing, although the rule counts it."""
    if not repeating(repeat):
        return ""
    if repeat["policy"] == "once":
        return "a newer one counts"
    return f"a newer one counts for the same {_one(span(str(repeat.get('period', ''))))}"


def adjustment(kind: str, name: str, bound: float) -> str:
    """What happened to a sum of points: `Email is held at 20`; see `explanation.Adjustment`."""
    if kind == "weight":
        return f"{name} counts {number(bound)} times"
    return f"{'The total' if kind == 'total_cap' else name} is held at {number(bound)}"


def signed(points: float) -> str:
    """`+15`, `−2.5`: with the sign that people read, of at most 2 decimals."""
    rounded = round(points, 2) + 0.0
    return f"{number(rounded) if rounded < 0 else '+' + number(rounded)}" if rounded else "0"


def number(value: float) -> str:
    """`1,500`, `2.5`, `−3`: without needless zeros, of at most 6 decimals."""
    text = f"{value:,.6f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")


def counted(value: float, unit: str) -> str:
    """`1 day`, `14 days`."""
    return f"{number(value)} {unit}{'' if value == 1 else 's'}"


def span(period: str) -> str:
    """`P30D` -> `30 days`."""
    try:
        duration = parse_duration(period)
    except BadDuration:
        return period
    minutes, seconds = divmod(duration.elapsed.total_seconds(), 60)
    hours, minutes = divmod(minutes, 60)
    found = ((duration.days, "day"), (hours, "hour"), (minutes, "minute"), (seconds, "second"))
    return " and ".join(counted(each, unit) for each, unit in found if each) or period


def settings(written: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a ruleset as it is written says beside its rules: pairs of a name and its value, those in use only."""
    threshold, share = float(written["mql_threshold"]), float(written["hysteresis"])
    falls = f"below {number(threshold * (1 - share))}" if share else "as soon as it is lower"
    said = [("Threshold", f"{number(threshold)} points"), ("Falls below it", falls)]
    if written.get("rearm_after"):
        said.append(("After a turn", f"rests for {span(str(written['rearm_after']))}"))
    if written.get("cap") is not None:
        said.append(("All in all", f"{number(written['cap'])} points at most"))
    for group in written.get("groups") or ():
        said.append((f"Group “{group['name']}”", f"{number(group['cap'])} points at most"))
    for name, weight in sorted((written.get("parts") or {}).items()):
        said.append((f"Adds the score “{name}”", f"{number(weight)} times"))
    return said


def _one(period: str) -> str:
    """`1 day` -> `day`; `7 days` -> `7 days`."""
    return period.removeprefix("1 ")
