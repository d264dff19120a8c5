"""What has been seen of events: their types, the names of their properties and of which JSON types those were. Never a
value. The pickers of conditions and triggers read it.

Noting costs nearly nothing: each process remembers for an hour what it has noted, by the outline of an event (its type,
names and types), and only something new is written, after the commit, in a statement of its own. It is a convenience:
what could not be written is noted again with the next event that has it.

Whoever sends names that are made up, one for each event, must not fill the table: there are limits, per type and in
all, and names that look like data are left out. Processes that write at once may go over a limit by a little."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from django.db import DatabaseError, connection, transaction

from contacts import json_rows

log = logging.getLogger(__name__)

MOST_TYPES = 1_000
MOST_PROPERTIES = 200  # of one type
LONGEST_NAME = 100
REFRESHED = timedelta(hours=1)
_MOST_OUTLINES = 20_000  # remembered by a process; beyond it, it forgets and looks again

_JSON_TYPES = {str: "string", int: "number", float: "number", bool: "boolean", list: "array", dict: "object"}

Sighting = tuple[str, str, str]  # event type, property (empty: the type itself), JSON type


class Event(Protocol):
    """What is looked at of an event."""

    @property
    def type(self) -> str: ...
    @property
    def properties(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class EventType:
    name: str
    first_seen_at: datetime
    last_seen_at: datetime


class _Memory:
    """What this process has noted within the hour."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.outlines: set[tuple[Any, ...]] = set()
        self.known: dict[str, set[Sighting]] = {}
        self.hour: datetime | None = None

    def begin(self, hour: datetime) -> None:
        self.outlines, self.known, self.hour = set(), {}, hour

    def has_room(self, event_type: str) -> bool:
        known = self.known.get(event_type)
        return len(self.known) < MOST_TYPES if known is None else len(known) < 2 * MOST_PROPERTIES

    def learn(self, sightings: Iterable[Sighting], outlines: Iterable[tuple[Any, ...]]) -> None:
        with self.lock:
            for sighting in sightings:
                self.known.setdefault(sighting[0], set()).add(sighting)
            if len(self.outlines) > _MOST_OUTLINES:
                self.outlines = set()
            self.outlines.update(outlines)


_memory = _Memory()


def note(events: Sequence[Event], *, now: datetime) -> None:
    """Remember what these events look like; to be called in the transaction that stores them, which need not wait for
    it: whatever is new is written after its commit."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    if _memory.hour != hour:
        _memory.begin(hour)
    seen = _memory.outlines
    outlines = {(event.type, *event.properties, *map(type, event.properties.values())): event for event in events}
    fresh = {outline: event for outline, event in outlines.items() if outline not in seen}
    if not fresh:
        return
    sightings = {
        sighting
        for event in fresh.values()
        if _memory.has_room(event.type)
        for sighting in _sightings(event)
        if sighting not in _memory.known.get(event.type, ())
    }
    transaction.on_commit(partial(_write, sightings, list(fresh), now), robust=True)


def _sightings(event: Event) -> Iterable[Sighting]:
    if not _is_name(event.type):
        return
    yield event.type, "", ""
    for name, value in event.properties.items():
        if name and _is_name(name):
            yield event.type, name, _JSON_TYPES.get(type(value), "null")


def _is_name(text: str) -> bool:
    """Whether it can be the name of something, and not an address or a text that somebody used as a key."""
    return len(text) <= LONGEST_NAME and "@" not in text and text.isprintable()


def _write(sightings: set[Sighting], outlines: Sequence[tuple[Any, ...]], now: datetime) -> None:
    try:
        if sightings:
            _insert(sorted(sightings), now)
    except (DatabaseError, UnicodeEncodeError) as error:
        log.warning("the event catalogue could not be written: %s", type(error).__name__)
        return
    _memory.learn(sightings, outlines)


def _insert(sightings: Sequence[Sighting], now: datetime) -> None:
    """In one order, so that two writers do not wait in a circle."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH given AS (
                SELECT row->>0 AS event_type, row->>1 AS property, row->>2 AS value_type
                  FROM jsonb_array_elements(%(rows)s::jsonb) AS new(row)),
            kept AS (
                SELECT s.event_type, count(DISTINCT s.property) AS properties
                  FROM seen_events s WHERE s.event_type IN (SELECT event_type FROM given) GROUP BY 1),
            room AS (
                SELECT %(types)s - count(*) AS types FROM (
                       SELECT FROM seen_events WHERE property = '' LIMIT %(types)s) AS types),
            ranked AS (
                SELECT g.*, s.id IS NOT NULL AS is_known, kept.properties, kept.event_type IS NOT NULL AS type_is_known,
                       dense_rank() OVER (PARTITION BY g.event_type, s.id IS NULL ORDER BY g.property) AS place,
                       dense_rank() OVER (PARTITION BY kept.event_type IS NULL ORDER BY g.event_type) AS type_place
                  FROM given g LEFT JOIN kept USING (event_type)
                  LEFT JOIN seen_events s USING (event_type, property, value_type))
            INSERT INTO seen_events (event_type, property, value_type, first_seen_at, last_seen_at)
            SELECT event_type, property, value_type, %(now)s, %(now)s FROM ranked, room
             WHERE is_known OR (type_is_known OR type_place <= room.types)
                           AND COALESCE(properties, 0) + place <= %(properties)s + 1
             ORDER BY event_type, property, value_type
            ON CONFLICT ON CONSTRAINT one_row_per_event_property_and_type DO UPDATE
               SET last_seen_at = EXCLUDED.last_seen_at
             WHERE seen_events.last_seen_at <= %(stale)s
            """,
            {
                "rows": json_rows.dump(sightings),
                "types": MOST_TYPES,
                "properties": MOST_PROPERTIES,
                "now": now,
                "stale": now - REFRESHED,
            },
        )


def event_types() -> list[EventType]:
    """Every type that was seen, by name; at most about MOST_TYPES."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT event_type, first_seen_at, last_seen_at FROM seen_events WHERE property = '' ORDER BY event_type"
        )
        return [EventType(*row) for row in cursor.fetchall()]


def properties(event_type: str) -> dict[str, list[str]]:
    """The properties that were seen of a type, by name, and the JSON types of each: string · number · boolean · null ·
    object · array."""
    return properties_of([event_type]).get(event_type, {})


def properties_of(event_types: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """The same of several types, in one statement; types without any are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT event_type, property, array_agg(value_type ORDER BY value_type) FROM seen_events
             WHERE event_type = ANY(%s) AND property <> '' GROUP BY 1, 2 ORDER BY 1, 2
            """,
            [list(event_types)],
        )
        found: dict[str, dict[str, list[str]]] = {}
        for event_type, name, types in cursor.fetchall():
            found.setdefault(event_type, {})[name] = types
    return found
