"""Parts of sentences: durations, conditions and settings as a marketer would say them. They take whatever stands in a
stored definition, also what no longer reads: that is quoted as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from contacts.conditions import BadCondition, explain, parse
from contacts.durations import BadDuration, Duration, parse_offset
from scoring.lifecycle.labels import OURS
from workflows.definition.conditions import EVENT_SCOPE, STEP_SCOPE

SENTENCE = 2000  # characters of one sentence
_CLIPPED = 200  # and of one value in it
_DURATIONS = frozenset({"for", "timeout", "offset", "jitter", "cooldown", "max_duration"})
_CONDITIONS = frozenset({"if", "where", "skip_if", "audience", "condition"})
_stages: ContextVar[Mapping[str, str]] = ContextVar("what lifecycle stages are called in sentences", default=OURS)


@contextmanager
def calling_stages(names: Mapping[str, str]) -> Iterator[None]:
    """In here, sentences say lifecycle stages by these names (key -> word): whoever shows sentences reads them first.
    Sentences themselves read nothing, and say our own words elsewhere."""
    token = _stages.set(names)
    try:
        yield
    finally:
        _stages.reset(token)


def stage(key: str) -> str:
    return quoted(_stages.get().get(key, key))


def span(text: Any) -> str:
    """`P1DT12H` as `1 day 12 hours`; `-P3D` as `3 days`: the direction is said elsewhere."""
    try:
        return _length(parse_offset(text))
    except BadDuration:
        return quoted(text)


def _length(duration: Duration) -> str:
    years, months = divmod(abs(duration.months), 12)
    minutes, seconds = divmod(abs(int(duration.elapsed.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    named = ("year", "month", "day", "hour", "minute", "second")
    parts = zip((years, months, abs(duration.days), hours, minutes, seconds), named, strict=True)
    return " ".join(plural(number, unit) for number, unit in parts if number) or "no time"


def plural(number: int, unit: str) -> str:
    return f"{number:,} {unit}" if number == 1 else f"{number:,} {unit}s"


def quoted(text: Any) -> str:
    return f"“{clipped(str(text))}”"


def clipped(text: str, most: int = _CLIPPED) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def condition(tree: Any) -> str:
    """A condition as `explain` says it, to stand after "if"."""
    try:
        return clipped(explain(parse(tree, scope=STEP_SCOPE | EVENT_SCOPE)))
    except (BadCondition, TypeError):
        return said(tree)


def said(value: Any, name: str = "") -> str:
    """Any value of a definition: words, numbers, lists and mappings of them; a condition where `name` is one's."""
    if value is None or value in ("", [], {}):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,}"
    if isinstance(value, Mapping) and name in _CONDITIONS:
        return condition(value)
    if isinstance(value, Mapping) and set(value) == {"ref"}:
        return f"the entry event’s {str(value['ref']).removeprefix('trigger.')}"
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return clipped("{" + ", ".join(f"{key}: {said(part)}" for key, part in value.items()) + "}")
    if isinstance(value, list):
        return clipped("[" + ", ".join(said(part) for part in value) + "]")
    if isinstance(value, str):
        return span(value) if name in _DURATIONS else quoted(value)
    return quoted(value)


def settings(given: Mapping[str, Any], *, without: Iterable[str] = ()) -> str:
    """`tag “vip”, weight 3`: the settings that were said, each with its name."""
    left_out = set(without)
    pairs = ((name, value) for name, value in given.items() if name not in left_out and value is not None)
    return ", ".join(f"{name.replace('_', ' ')} {said(value, name)}" for name, value in pairs)
