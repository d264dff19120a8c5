"""A contact's timeline: what every floor knows of one person, merged newest first, a page at a time.

Each floor registers a source. A page asks every source for its rows before one point and merges them, so it costs one
statement a source, however long the history is. Points are ordered by (instant, source, id), which is a total order:
no row comes twice and none is lost between two pages.

A floor may also say something of what another source tells, such as the points that an event was worth: it registers a
marker for that source, and `marked` asks it once for a whole page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)
_LARGEST_ID = 2**63 - 1
_SEPARATOR = "~"


class BadCursor(ValueError):
    """The text is not a point of a timeline."""


@dataclass(frozen=True)
class Before:
    """Rows whose (instant, id) comes strictly before this pair."""

    at: datetime
    id: int


@dataclass(frozen=True)
class Mark:
    """What another floor says of an entry: `text` in a pill, `said` to whoever points at it or hears it read."""

    text: str
    tone: str = "plain"
    said: str = ""


@dataclass(frozen=True)
class Entry:
    """One thing that happened. `type` is for machines, `title` and `detail` are for people; `id` is the source's own
    and orders the entries of one instant. `url` is a page about an `url_shows` (`app.model`), for who may see those;
    `data` is what programs may want to know of it besides; `source` is filled by `page`, `mark` by `marked`."""

    at: datetime
    id: int
    type: str
    title: str
    detail: str = ""
    icon: str = "bolt"
    tone: str = "sky"
    badge: str = ""
    badge_tone: str = "plain"
    url: str = ""
    url_shows: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    mark: Mark | None = None


@dataclass(frozen=True)
class Source:
    """`entries(contact_id=…, before=…, limit=…, alone=…)` gives the newest `limit` entries before a point; `alone`
    says that nothing else is shown, so the source may be complete. `tells` are the event types that this source tells
    in more detail than the event log: a merged timeline leaves those events out."""

    name: str
    label: str
    entries: Callable[..., list[Entry]]
    tells: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Page:
    entries: Sequence[Entry]
    cursor: str  # the next page; empty at the end


Marker = Callable[..., Mapping[int, Mark]]

_sources: dict[str, Source] = {}
_markers: dict[str, Marker] = {}


def register(source: Source) -> None:
    _sources[source.name] = source


def register_marker(source: str, marker: Marker) -> None:
    """`marker(contact_id=…, entries=…, now=…)` gives marks by the ids of entries of that source, in a constant number
    of statements."""
    _markers[source] = marker


def sources() -> list[Source]:
    return [_sources[name] for name in sorted(_sources)]


def told_elsewhere() -> frozenset[str]:
    """Event types that some source other than the event log tells."""
    return frozenset().union(*(source.tells for source in _sources.values()))


def page(*, contact_id: int, only: str = "", cursor: str = "", limit: int = 30, whole: bool = False) -> Page:
    """The newest `limit` entries before `cursor` (empty: from now on back), of one source or of all. `whole`: every
    source tells all that it knows, though another tells the same thing in its own way.

    Raises BadCursor, or KeyError when `only` names no source."""
    chosen = [_sources[only]] if only else sources()
    after = _parse(cursor) if cursor else None
    found: list[tuple[datetime, str, int, Entry]] = []
    for source in chosen:
        before = _before(source.name, after)
        for entry in source.entries(contact_id=contact_id, before=before, limit=limit + 1, alone=whole or bool(only)):
            found.append((entry.at, source.name, entry.id, replace(entry, source=source.name)))
    found.sort(key=lambda row: row[:3], reverse=True)
    shown = found[:limit]
    more = _SEPARATOR.join([shown[-1][0].isoformat(), shown[-1][1], str(shown[-1][2])]) if len(found) > limit else ""
    return Page(entries=tuple(row[3] for row in shown), cursor=more)


def marked(shown: Page, *, contact_id: int, now: datetime) -> Page:
    """The same page with the marks of its entries."""
    marks: dict[tuple[str, int], Mark] = {}
    for source, marker in _markers.items():
        if entries := [entry for entry in shown.entries if entry.source == source]:
            found = marker(contact_id=contact_id, entries=entries, now=now)
            marks |= {(source, id): mark for id, mark in found.items()}
    entries = [replace(entry, mark=marks.get((entry.source, entry.id))) for entry in shown.entries]
    return replace(shown, entries=tuple(entries))


def _before(name: str, after: tuple[datetime, str, int] | None) -> Before:
    if after is None:
        return Before(_END_OF_TIME, _LARGEST_ID)
    at, last_name, last_id = after
    if name == last_name:
        return Before(at, last_id)
    return Before(at, _LARGEST_ID if name < last_name else -1)


def _parse(cursor: str) -> tuple[datetime, str, int]:
    try:
        at, name, id = cursor.split(_SEPARATOR)
        instant = datetime.fromisoformat(at)
        number = int(id)
    except ValueError as error:
        raise BadCursor(cursor) from error
    if instant.tzinfo is None or not 0 <= number <= _LARGEST_ID:
        raise BadCursor(cursor)
    return instant, name, number
