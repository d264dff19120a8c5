"""A condition as one English sentence, from the same tree that is compiled. Pure."""

from __future__ import annotations

from datetime import datetime

from contacts.conditions.builtin import NODES
from contacts.conditions.fields import label
from contacts.conditions.operators import OPERATORS
from contacts.conditions.tree import All, AnyOf, Comparison, Condition, EventCount, Named, Not, Ref, Target, Value
from contacts.durations import parse_duration

_LISTED = 5  # values of a list that are spelt out
_CLIPPED = 80  # characters of a value

TIMES = {
    "eq": "exactly {times}",
    "ne": "more or fewer than {times}",
    "gt": "more than {times}",
    "gte": "at least {times}",
    "lt": "fewer than {times}",
    "lte": "at most {times}",
}


def explain(condition: Condition) -> str:
    """E.g. `job_title contains “Director” and score is at least 60`: no capital, no full stop, so that it can stand
    after "only if"."""
    return _say(condition, event="the event’s ")


def _say(condition: Condition, *, event: str) -> str:
    match condition:
        case All(()):
            return "always"
        case AnyOf(()):
            return "never"
        case All(parts):
            return " and ".join(_part(part, AnyOf, event) for part in parts)
        case AnyOf(parts):
            return " or ".join(_part(part, All, event) for part in parts)
        case Not(part):
            return f"not ({_say(part, event=event)})"
        case Named(kind, name):
            return NODES[kind].sentence(name)
        case Comparison():
            return _comparison(condition, event)
        case EventCount():
            return _event_count(condition)


def _part(part: Condition, other: type[All] | type[AnyOf], event: str) -> str:
    """Brackets where "and" meets "or"; a group of one is the one."""
    while isinstance(part, All | AnyOf) and len(part.parts) == 1:
        part = part.parts[0]
    sentence = _say(part, event=event)
    return f"({sentence})" if isinstance(part, other) and part.parts else sentence


def _comparison(node: Comparison, event: str) -> str:
    operator = OPERATORS[node.op]
    words = operator.words
    if isinstance(node.value, datetime) and operator.instant_words:
        words = operator.instant_words
    if operator.takes == "window":
        return f"{_name(node.target, event)} {words} {_span(str(node.value))}"
    if operator.takes == "nothing":
        return f"{_name(node.target, event)} {words}"
    return f"{_name(node.target, event)} {words} {_value(node.value, event)}"


def _event_count(node: EventCount) -> str:
    name = f"“{node.type}”"
    message = ", ".join(f"{key} “{value}”" for key, value in node.message)
    if message:
        name += f" (of {message})"
    never = (node.op, node.count) in (("eq", 0), ("lt", 1), ("lte", 0))
    if never:
        happened = "never happened" if node.within is None else "did not happen"
    elif (node.op, node.count) in (("gte", 1), ("gt", 0), ("ne", 0)):
        happened = "happened"
    else:
        times = "once" if node.count == 1 else _plural(node.count, "time")
        happened = f"happened {TIMES[node.op].format(times=times)}"
    within = "" if node.within is None else f" in the last {_span(node.within)}"
    where = "" if node.where is None else f" (where {_say(node.where, event='its ')})"
    return f"{name} {happened}{within}{where}"


def _name(target: Target, event: str) -> str:
    whose = {"event": event, "trigger": "the entry event’s "}.get(target.space, "")
    return f"{whose}{label(target)}"


def _value(value: Value, event: str) -> str:
    match value:
        case Ref(target):
            return _name(target, event)
        case tuple():
            listed = ", ".join(_value(item, event) for item in value[:_LISTED])
            return listed if len(value) <= _LISTED else f"{listed} and {len(value) - _LISTED} more"
        case bool():
            return "true" if value else "false"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M} UTC" if value.second == 0 else f"{value:%Y-%m-%d %H:%M:%S} UTC"
        case str():
            return f"“{value}”" if len(value) <= _CLIPPED else f"“{value[:_CLIPPED]}…”"
    return f"{value}"


def _span(text: str) -> str:
    """What follows "the last": `P1D` as `day`, `P1DT12H` as `1 day 12 hours`."""
    duration = parse_duration(text)
    minutes, seconds = divmod(int(duration.elapsed.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((duration.days, "day"), (hours, "hour"), (minutes, "minute"), (seconds, "second"))
    written = [(number, unit) for number, unit in parts if number]
    if len(written) == 1 and written[0][0] == 1:
        return written[0][1]
    return " ".join(_plural(number, unit) for number, unit in written)


def _plural(number: int, unit: str) -> str:
    return f"{number:,} {unit}" if number == 1 else f"{number:,} {unit}s"
