"""How an event in quarantine is tried again: as the element of `POST /api/v1/events` that it is (Kafka's are the
same)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contacts import events, quarantine
from contacts.collect import parsing, strict_json
from contacts.events import NewEvent
from contacts.faults import Fault
from contacts.quarantine import Kept

SOURCES = ("api", "kafka")


def register() -> None:
    """Called once, when the app is ready."""
    for source in SOURCES:
        quarantine.register(source, take)


def take(rows: Sequence[Kept], now: datetime) -> dict[int, list[Fault]]:
    """Record those that can be read, in the caller's transaction; what is wrong with the others, by the row's id. An
    event that says no time happened when it first came. All rows are of one source."""
    faults: dict[int, list[Fault]] = {}
    read: list[tuple[Kept, NewEvent]] = []
    for row in rows:
        event = _read(row.raw)
        if isinstance(event, NewEvent):
            read.append((row, event._replace(occurred_at=event.occurred_at or row.received_at)))
        else:
            faults[row.id] = event
    recorded = events.record_batch([event for _, event in read], source=rows[0].source, now=now)
    return faults | {read[rejection.index][0].id: rejection.errors for rejection in recorded.rejected}


def _read(raw: str) -> NewEvent | list[Fault]:
    try:
        return parsing.parse_event(strict_json.read(raw.encode()))
    except (strict_json.NotJson, strict_json.TooManyValues) as error:
        return [Fault("syntax", str(error))]
