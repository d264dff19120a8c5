"""The event log's door: whatever a contact did, or happened to them, is recorded here and nowhere else.

A batch of any size costs a constant number of statements: who is meant (`identity.resolve`), what is known of them,
one statement for the deduplication keys, the events and the queue that intake takes them from (`event_rows`), and what
came in (`tallies`). Facts never change afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from contacts import (
    catalogue,
    changes,
    consent,
    durations,
    event_rows,
    halving,
    hops,
    identity,
    known,
    signals,
    tallies,
    tracing,
    zones,
)
from contacts.changes import Change
from contacts.event_rows import Row
from contacts.faults import Fault
from contacts.identifiers import Identifiers
from contacts.known import Known
from contacts.locking import lock_contacts
from contacts.signals import RecordedEvent

__all__ = [
    "Identifiers",
    "NewEvent",
    "OwnEvent",
    "Recorded",
    "Rejection",
    "allowed_regions",
    "fault_at_sight",
    "record_batch",
    "record_own",
]

OWN = "own"  # the source of what we say ourselves
FARTHEST_AHEAD = timedelta(hours=24)
NOWHERE_FORBIDDEN: frozenset[str] = frozenset()

FUTURE = Fault("future", "lies more than 24 hours ahead", ("occurred_at",))
RESIDENCY = Fault("residency", "is none whose people may be stored here", ("region",))
UNKNOWN_CONTACT = Fault("unknown_contact", "there is no such contact", ("contact",))
REFUSED = Fault("refused", "the database cannot store this event")


class NewEvent(NamedTuple):
    """`occurred_at` None: now. `contact` is an id of ours, or what the producer calls them. `key` is the producer's
    own name of the event (None: contact, type and minute). `own`: we say it ourselves, so consent never holds it."""

    type: str
    occurred_at: datetime | None
    contact: int | Identifiers
    properties: Mapping[str, Any]
    context: Mapping[str, Any]
    key: str | None = None
    own: bool = False


@dataclass(frozen=True)
class OwnEvent:
    """Something that we say about a contact ourselves. The same key again is the same fact, and changes nothing."""

    contact_id: int
    type: str
    properties: Mapping[str, Any]
    key: str


@dataclass(frozen=True)
class Rejection:
    """The event at `index` of the batch was not stored, and why."""

    index: int
    errors: list[Fault]


@dataclass(frozen=True)
class Recorded:
    """What became of a batch. `event_ids[i]` is None for duplicates and rejections."""

    accepted: int
    duplicates: int
    rejected: list[Rejection]
    event_ids: list[int | None]


@dataclass
class Outcome:
    """Filled while a batch is stored; a batch that had to be halved fills it piece by piece."""

    event_ids: list[int | None]
    duplicates: int = 0
    rejected: dict[int, list[Fault]] = field(default_factory=dict)
    stored: list[RecordedEvent] = field(default_factory=list)


@dataclass(frozen=True)
class Batch:
    """What holds for all events of one call."""

    source: str
    now: datetime
    lane: str
    tracking_default: str
    residency: frozenset[str]  # the regions that may be stored here; empty: all
    trigger_from: datetime  # what happened before triggers nothing


def record_batch(
    events: Sequence[NewEvent],
    *,
    source: str,
    now: datetime,
    lane: str = "urgent",
    tracking_default: str = "granted",
    refused: Iterable[list[Fault]] = (),
) -> Recorded:
    """Store a batch in the caller's transaction, and queue for intake what may trigger something: what somebody awaits
    (`contacts.awaited`).

    `source`: api · segment · import · kafka · own. `lane`: urgent · bulk. `tracking_default`: what holds for contacts
    who never said. `refused`: the faults of elements that the caller could not even read, which are counted with the
    others in `tallies`. An event that is malformed, too far ahead, of nobody, of a forbidden region, or that PostgreSQL
    refuses, is rejected by its index and takes no other along. Sends `events_recorded` inside the transaction.
    The number of statements does not depend on the size of the batch; only a refused row or a lost race costs more."""
    assert connection.in_atomic_block, "record_batch needs the caller's transaction"
    batch = Batch(
        source,
        now,
        lane,
        tracking_default,
        residency=allowed_regions(),
        trigger_from=now - _trigger_max_age(),
    )
    outcome = Outcome(event_ids=[None] * len(events))
    events = hops.carrying(events)
    if tracing.tracer() is not None:
        events = tracing.carrying(events)

    def write(pieces: Sequence[tuple[int, NewEvent]]) -> None:
        attempt = Outcome(event_ids=outcome.event_ids)
        _store(pieces, batch, attempt)  # raises before it has touched `event_ids`
        outcome.duplicates += attempt.duplicates
        outcome.rejected |= attempt.rejected
        outcome.stored += attempt.stored

    def refuse(piece: tuple[int, NewEvent]) -> None:
        outcome.rejected[piece[0]] = [REFUSED]

    latest = now + FARTHEST_AHEAD
    sound: list[tuple[int, NewEvent]] = []
    for index, event in enumerate(events):
        allowed = NOWHERE_FORBIDDEN if event.own else batch.residency
        fault = fault_at_sight(event.occurred_at, event.context, latest=latest, allowed=allowed)
        if fault:
            outcome.rejected[index] = [fault]
        else:
            sound.append((index, event))
    halving.store(sound, write, refuse)
    if outcome.stored:
        catalogue.note([event for event, stored in zip(events, outcome.event_ids, strict=True) if stored], now=now)
        signals.events_recorded.send(sender=NewEvent, events=tuple(outcome.stored), lane=lane, now=now)
    if source != OWN:
        tallies.count(_outcomes(outcome, refused), source=source, now=now)
    return Recorded(
        accepted=len(outcome.stored),
        duplicates=outcome.duplicates,
        rejected=[Rejection(index, outcome.rejected[index]) for index in sorted(outcome.rejected)],
        event_ids=outcome.event_ids,
    )


def allowed_regions() -> frozenset[str]:
    """The regions that may be stored here, casefolded; empty: all."""
    return frozenset(region.casefold() for region in settings.RESIDENCY_ALLOWED)


def fault_at_sight(
    occurred_at: datetime | None, context: Mapping[str, Any], *, latest: datetime, allowed: frozenset[str]
) -> Fault | None:
    """Why an event is rejected whoever it is of: to be asked before anybody is created for it."""
    if occurred_at is not None and occurred_at > latest:
        return FUTURE
    return _forbidden(context.get("region"), allowed) if allowed else None


def record_own(rows: Sequence[OwnEvent], *, now: datetime, lane: str = "urgent") -> None:
    """Record what we say ourselves: it happened now, and consent never holds it. What led to it is kept with it
    (`hops.leading`)."""
    if rows:
        events = [
            NewEvent(row.type, now, row.contact_id, row.properties, hops.of_contact(row.contact_id), row.key, own=True)
            for row in rows
        ]
        record_batch(events, source=OWN, now=now, lane=lane)


def _outcomes(outcome: Outcome, refused: Iterable[list[Fault]]) -> dict[str, int]:
    """For the tallies: what became of the batch."""
    return {
        tallies.ACCEPTED: len(outcome.stored),
        tallies.HELD: sum(not event.processed for event in outcome.stored),
        tallies.DUPLICATE: outcome.duplicates,
        **tallies.rejections([*outcome.rejected.values(), *refused]),
    }


def _store(pieces: Sequence[tuple[int, NewEvent]], batch: Batch, outcome: Outcome) -> None:
    meant, standings = _resolve(pieces, batch, outcome)
    standings |= known.read(set(meant.values()) - standings.keys())
    rows: dict[str, Row] = {}
    for index, event in pieces:
        if index not in meant:
            continue
        standing = standings.get(meant[index])
        if standing is None or standing.is_erased:
            outcome.rejected[index] = [UNKNOWN_CONTACT]
            continue
        if fault := _residency(event, standing, batch):
            outcome.rejected[index] = [fault]
            continue
        row = _row(index, event, meant[index], standing, batch)
        if row.key in rows:
            outcome.duplicates += 1
        else:
            rows[row.key] = row
    kept = list(rows.values())
    fresh = event_rows.insert(kept, source=batch.source, lane=batch.lane, now=batch.now)
    outcome.duplicates += len(kept) - len(fresh)
    _fill_zones([row for row, *_ in fresh], batch)
    consent.refuse_sale([row.contact_id for row, *_ in fresh if consent.sale_refused(row.context)], now=batch.now)
    for row, event_id, pending in fresh:
        outcome.event_ids[row.place] = event_id
        outcome.stored.append(
            RecordedEvent(event_id, row.contact_id, row.type, row.occurred_at, row.processed, pending)
        )


def _resolve(
    pieces: Sequence[tuple[int, NewEvent]], batch: Batch, outcome: Outcome
) -> tuple[dict[int, int], dict[int, Known]]:
    """Event index -> contact id, of all whose contact can be told; and contact id -> what is known already."""
    read: dict[int, Known] = {}
    meant = {index: event.contact for index, event in pieces if isinstance(event.contact, int)}
    named = [(index, event.contact) for index, event in pieces if isinstance(event.contact, Identifiers)]
    if named:
        people = identity.resolve([person for _, person in named], source="event", now=batch.now, lane=batch.lane)
        read = dict(people.known)
        for position, (index, _) in enumerate(named):
            contact_id = people.contact_ids[position]
            if contact_id is None:
                outcome.rejected[index] = [fault.below("contact") for fault in people.faults[position]]
            else:
                meant[index] = contact_id
    return meant, read


def _residency(event: NewEvent, standing: Known, batch: Batch) -> Fault | None:
    """What we say ourselves is kept wherever the contact lives: bounces must count. An event that names an allowed
    region of its own is kept, too."""
    if event.own or not batch.residency:
        return None
    said = event.context.get("region")
    return _forbidden(said if isinstance(said, str) and said.strip() else standing.region, batch.residency)


def _forbidden(region: Any, allowed: frozenset[str]) -> Fault | None:
    """Whoever names no region is not refused for it."""
    named = region.strip().casefold() if isinstance(region, str) else ""
    return RESIDENCY if named and named not in allowed else None


def _row(index: int, event: NewEvent, asked: int, standing: Known, batch: Batch) -> Row:
    occurred_at = batch.now if event.occurred_at is None else event.occurred_at.astimezone(UTC)
    processed = event.own or _may_be_used(event, standing, batch)
    zone = event.context.get("timezone")
    fills = processed and not standing.has_zone and isinstance(zone, str) and zone in zones.known()
    return Row(
        place=index,
        type=event.type,
        properties=event.properties,
        context=event.context,
        contact_id=standing.contact_id,
        recorded_contact_id=asked,
        occurred_at=occurred_at,
        processed=processed,
        may_start=processed and occurred_at >= batch.trigger_from,
        key=_key(event, standing.contact_id, occurred_at),
        zone=str(zone) if fills else "",
    )


def _may_be_used(event: NewEvent, standing: Known, batch: Batch) -> bool:
    """The event's own context decides before the record, and the record before the default; whoever restricted the
    processing of their data is not overruled by either."""
    if standing.restricted:
        return False
    said = consent.tracking_said(event.context) if "consent" in event.context else None
    tracking = said or standing.tracking
    return (tracking or batch.tracking_default) == consent.GRANTED


def _trigger_max_age() -> timedelta:
    """Not shortened by TIME_SPEED: it keeps old history from triggering, and history is as old as it is."""
    return durations.window(settings.EVENT_TRIGGER_MAX_AGE, speed=1.0)


def _key(event: NewEvent, contact_id: int, occurred_at: datetime) -> str:
    """Our own keys, producers' keys and the made-up ones never meet, whatever they look like. In hexadecimal."""
    whose = "own" if event.own else "producer"
    if event.key is not None:
        name = f"{whose}\x00{event.key}"
    else:
        minute = occurred_at.replace(second=0, microsecond=0).isoformat()
        name = f"minute\x00{whose}\x00{contact_id}\x00{event.type}\x00{minute}"
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _fill_zones(rows: Sequence[Row], batch: Batch) -> None:
    """The first zone that an event names fills an empty one; a zone that is there stays."""
    zones: dict[int, str] = {}
    for row in rows:
        if row.zone:
            zones.setdefault(row.contact_id, row.zone)
    if not zones:
        return
    contacts = sorted(zones)
    lock_contacts(contacts)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE contacts c SET timezone = new.timezone, updated_at = %s
              FROM unnest(%s::bigint[], %s::text[]) AS new(id, timezone)
             WHERE c.id = new.id AND c.timezone = '' RETURNING c.id
            """,
            [batch.now, contacts, [zones[contact] for contact in contacts]],
        )
        filled = [contact for (contact,) in cursor.fetchall()]
    changes.append(
        [Change(contact, "field", "timezone", "", zones[contact]) for contact in filled],
        source="event",
        now=batch.now,
        lane=batch.lane,
    )
