"""The event log's door: whatever a contact did, or happened to them, is recorded here and nowhere else.

A batch of any size costs a constant number of statements: who is meant (`identity.resolve`), what is known of them,
the deduplication keys, the events, and the queue that intake takes them from. Facts never change afterwards.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from contacts import changes, consent, durations, halving, identity, signals, zones
from contacts.changes import Change
from contacts.faults import Fault
from contacts.identifiers import Identifiers
from contacts.locking import lock_contacts
from contacts.merged import follow
from contacts.signals import RecordedEvent

__all__ = ["Identifiers", "NewEvent", "OwnEvent", "Recorded", "Rejection", "record_batch", "record_own"]

SHARDS = 16  # one contact's events share a shard, and a shard is taken by one worker at a time
FARTHEST_AHEAD = timedelta(hours=24)

FUTURE = Fault("future", "lies more than 24 hours ahead", ("occurred_at",))
RESIDENCY = Fault("residency", "people of this region may not be stored here", ("region",))
UNKNOWN_CONTACT = Fault("unknown_contact", "there is no such contact", ("contact",))
REFUSED = Fault("refused", "the database cannot store this event")


@dataclass(frozen=True)
class NewEvent:
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


@dataclass(frozen=True)
class Standing:
    """What is known of a contact when its event arrives."""

    contact_id: int
    has_zone: bool
    region: str
    tracking: str | None


@dataclass(frozen=True)
class Row:
    """An event as it will be stored."""

    index: int
    event: NewEvent
    contact_id: int
    recorded_contact_id: int
    occurred_at: datetime
    processed: bool
    pending: bool
    key_hash: bytes
    zone: str  # to fill an empty one


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


def record_batch(
    events: Sequence[NewEvent], *, source: str, now: datetime, lane: str = "urgent", tracking_default: str = "granted"
) -> Recorded:
    """Store a batch in the caller's transaction, and queue for intake what may trigger something.

    `source`: api · segment · import · kafka · own. `lane`: urgent · bulk. `tracking_default`: what holds for contacts
    who never said. An event that is malformed, too far ahead, of nobody, of a forbidden region, or that PostgreSQL
    refuses, is rejected by its index and takes no other along. Sends `events_recorded` inside the transaction.
    The number of statements does not depend on the size of the batch; only a refused row or a lost race costs more."""
    assert connection.in_atomic_block, "record_batch needs the caller's transaction"
    batch = Batch(source, now, lane, tracking_default)
    outcome = Outcome(event_ids=[None] * len(events))

    def write(pieces: Sequence[tuple[int, NewEvent]]) -> None:
        attempt = Outcome(event_ids=outcome.event_ids)
        _store(pieces, batch, attempt)  # raises before it has touched `event_ids`
        outcome.duplicates += attempt.duplicates
        outcome.rejected |= attempt.rejected
        outcome.stored += attempt.stored

    def refuse(piece: tuple[int, NewEvent]) -> None:
        outcome.rejected[piece[0]] = [REFUSED]

    timely = [(index, event) for index, event in enumerate(events) if not _is_future(event, now)]
    outcome.rejected.update({index: [FUTURE] for index, event in enumerate(events) if _is_future(event, now)})
    halving.store(timely, write, refuse)
    if outcome.stored:
        signals.events_recorded.send(sender=NewEvent, events=tuple(outcome.stored), lane=lane, now=now)
    return Recorded(
        accepted=len(outcome.stored),
        duplicates=outcome.duplicates,
        rejected=[Rejection(index, outcome.rejected[index]) for index in sorted(outcome.rejected)],
        event_ids=outcome.event_ids,
    )


def record_own(rows: Sequence[OwnEvent], *, now: datetime, lane: str = "urgent") -> None:
    """Record what we say ourselves: it happened now, and consent never holds it."""
    if rows:
        events = [
            NewEvent(row.type, now, row.contact_id, row.properties, context={}, key=row.key, own=True) for row in rows
        ]
        record_batch(events, source="own", now=now, lane=lane)


def _is_future(event: NewEvent, now: datetime) -> bool:
    return event.occurred_at is not None and event.occurred_at > now + FARTHEST_AHEAD


def _store(pieces: Sequence[tuple[int, NewEvent]], batch: Batch, outcome: Outcome) -> None:
    meant = _resolve(pieces, batch, outcome)
    standings = _standings(sorted(set(meant.values())))
    rows: dict[bytes, Row] = {}
    for index, event in pieces:
        if index not in meant:
            continue
        standing = standings.get(meant[index])
        fault = UNKNOWN_CONTACT if standing is None else _residency(event, standing)
        if standing is None or fault:
            outcome.rejected[index] = [fault or UNKNOWN_CONTACT]
            continue
        row = _row(index, event, meant[index], standing, batch)
        if row.key_hash in rows:
            outcome.duplicates += 1
        else:
            rows[row.key_hash] = row
    fresh = _insert_keys(rows, batch.now)
    outcome.duplicates += len(rows) - len(fresh)
    kept = [row for key_hash, row in rows.items() if key_hash in fresh]
    ids = _insert_events(kept, batch)
    _insert_pending([(ids[row.key_hash], row) for row in kept if row.pending], batch)
    _fill_zones(kept, batch)
    for row in kept:
        event_id = outcome.event_ids[row.index] = ids[row.key_hash]
        outcome.stored.append(
            RecordedEvent(event_id, row.contact_id, row.event.type, row.occurred_at, row.processed, row.pending)
        )


def _resolve(pieces: Sequence[tuple[int, NewEvent]], batch: Batch, outcome: Outcome) -> dict[int, int]:
    """Event index -> contact id, of all whose contact can be told."""
    meant = {index: event.contact for index, event in pieces if isinstance(event.contact, int)}
    named = [(index, event.contact) for index, event in pieces if isinstance(event.contact, Identifiers)]
    if named:
        people = identity.resolve([person for _, person in named], source="event", now=batch.now, lane=batch.lane)
        for position, (index, _) in enumerate(named):
            contact_id = people.contact_ids[position]
            if contact_id is None:
                outcome.rejected[index] = [fault.below("contact") for fault in people.faults[position]]
            else:
                meant[index] = contact_id
    return meant


def _standings(contact_ids: Sequence[int]) -> dict[int, Standing]:
    """By the id that was asked for; a merged contact answers with the one that lives, an erased one not at all."""
    return {asked: Standing(living, *rest) for asked, (living, rest) in follow(contact_ids, _read_standings).items()}


def _read_standings(contact_ids: Sequence[int]) -> dict[int, tuple[int | None, tuple[bool, str, str | None]]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.id, c.merged_into_id, c.timezone <> '', c.region, tracking.state
              FROM contacts c
              LEFT JOIN LATERAL (
                   SELECT state FROM consent_records r
                    WHERE r.contact_id = c.id AND r.category = 'tracking' AND r.topic = ''
                    ORDER BY r.id DESC LIMIT 1) tracking ON true
             WHERE c.id = ANY(%s) AND c.erased_at IS NULL
            """,
            [list(contact_ids)],
        )
        return {row[0]: (row[1], (row[2], row[3], row[4])) for row in cursor.fetchall()}


def _residency(event: NewEvent, standing: Standing) -> Fault | None:
    """What we say ourselves is kept wherever the contact lives: bounces must count."""
    if event.own or not settings.RESIDENCY_ALLOWED:
        return None
    said = event.context.get("region")
    region = said if isinstance(said, str) and said else standing.region
    return RESIDENCY if region and region not in settings.RESIDENCY_ALLOWED else None


def _row(index: int, event: NewEvent, asked: int, standing: Standing, batch: Batch) -> Row:
    occurred_at = batch.now if event.occurred_at is None else event.occurred_at.astimezone(UTC)
    tracking = consent.tracking_said(event.context) or standing.tracking or batch.tracking_default
    processed = event.own or tracking == consent.GRANTED
    zone = event.context.get("timezone")
    fills = processed and not standing.has_zone and isinstance(zone, str) and zone in zones.known()
    return Row(
        index=index,
        event=event,
        contact_id=standing.contact_id,
        recorded_contact_id=asked,
        occurred_at=occurred_at,
        processed=processed,
        pending=processed and occurred_at >= batch.now - _trigger_max_age(),
        key_hash=_key_hash(event, standing.contact_id, occurred_at),
        zone=str(zone) if fills else "",
    )


def _trigger_max_age() -> timedelta:
    """Not shortened by TIME_SPEED: it keeps old history from triggering, and history is as old as it is."""
    return durations.window(settings.EVENT_TRIGGER_MAX_AGE, speed=1.0)


def _key_hash(event: NewEvent, contact_id: int, occurred_at: datetime) -> bytes:
    """Our own keys, producers' keys and the made-up ones never meet, whatever they look like."""
    whose = "own" if event.own else "producer"
    minute = occurred_at.replace(second=0, microsecond=0).isoformat()
    parts = [whose, event.key] if event.key is not None else ["minute", whose, str(contact_id), event.type, minute]
    return hashlib.blake2b("\x00".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _insert_keys(key_hashes: Iterable[bytes], now: datetime) -> set[bytes]:
    """Those that nobody had seen. Sorted, so that two batches wait for each other in one direction only."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO event_keys (key_hash, recorded_at)
            SELECT key_hash, %s FROM unnest(%s::bytea[]) AS new(key_hash) ORDER BY key_hash
            ON CONFLICT (key_hash) DO NOTHING RETURNING key_hash
            """,
            [now, list(key_hashes)],
        )
        return {bytes(key_hash) for (key_hash,) in cursor.fetchall()}


def _insert_events(rows: Sequence[Row], batch: Batch) -> dict[bytes, int]:
    """The new event ids by key; ids follow the order of the batch."""
    if not rows:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO contact_events (contact_id, recorded_contact_id, type, occurred_at, recorded_at,
                                        properties, context, source, processed, key_hash)
            SELECT contact_id, recorded_contact_id, type, occurred_at, %s,
                   properties::jsonb, context::jsonb, %s, processed, key_hash
              FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[],
                          %s::text[], %s::text[], %s::boolean[], %s::bytea[]) WITH ORDINALITY
                   AS new(contact_id, recorded_contact_id, type, occurred_at, properties, context, processed, key_hash,
                          position)
             ORDER BY position
            RETURNING id, key_hash
            """,
            [
                batch.now,
                batch.source,
                [row.contact_id for row in rows],
                [row.recorded_contact_id for row in rows],
                [row.event.type for row in rows],
                [row.occurred_at for row in rows],
                [_json(row.event.properties) for row in rows],
                [_json(row.event.context) for row in rows],
                [row.processed for row in rows],
                [row.key_hash for row in rows],
            ],
        )
        return {bytes(key_hash): event_id for event_id, key_hash in cursor.fetchall()}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) if value else "{}"


def _insert_pending(waiting: Sequence[tuple[int, Row]], batch: Batch) -> None:
    if not waiting:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO pending_events (event_id, recorded_at, lane, shard)
            SELECT event_id, %s, %s, shard FROM unnest(%s::bigint[], %s::smallint[]) AS new(event_id, shard)
            """,
            [
                batch.now,
                batch.lane,
                [event_id for event_id, _ in waiting],
                [row.contact_id % SHARDS for _, row in waiting],
            ],
        )


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
