"""The gate: the last look before a message goes out, and the claim that lets it go. One transaction, called T1.

READ COMMITTED, and the order of its statements is the promise: it locks in one statement and reads in a later one. A
statement that waited for a lock still reads the snapshot that it took before it waited, so a gate that locks and checks
in one statement lets the unsubscribe through that it waited for.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from contacts import chaos, consent, merging
from contacts.identifiers import is_email
from delivery import addresses, caps, facts, ledger, quiet_hours, verdicts
from delivery.verdicts import Candidate, Known, Standing, Verdict

Place = tuple[str, str]  # a channel, and an address of it
CLASSES = ("transactional", "marketing")  # among equals in this order
SKIP_EVENTS = {"suppressed": facts.SKIPPED, "capped": facts.SKIPPED_BY_CAP}


@dataclass(frozen=True)
class Person:
    """The contact as it was under the lock. `merged`: it lives on in another one."""

    contact_id: int
    email: str
    merged: bool
    frequency_cap: Mapping[str, Any] | None
    attributes: Mapping[str, Any]
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Due:
    """An outbox row that this transaction has taken, and its message, which can never change.

    `address` was read before the contact was locked: it says which address to lock, not where to send."""

    message_id: int
    contact_id: int
    attempt: int  # used so far
    priority: int
    address: str
    public_id: str
    channel: str
    message_class: str
    topic: str
    override_cap: bool
    template_version_id: int
    context: str  # JSON
    quiet_hours: str | None  # JSON


@dataclass(frozen=True)
class Claim:
    """A message that may be sent now. `attempt` counts from 1."""

    due: Due
    attempt: int
    address_id: int
    person: Person


@dataclass(frozen=True)
class Batch:
    """`taken`: how many due messages were looked at, those that may not be sent included."""

    taken: int
    claims: tuple[Claim, ...]


# One look into the index for each priority and class, so that neither a long queue nor many messages for later, nor a
# class that is held, cost anything.
_CLAIM = """
    WITH due AS MATERIALIZED (
        SELECT queued.* FROM generate_series(10, 1, -1) AS level (priority)
         CROSS JOIN unnest(%(classes)s::text[]) AS kind (message_class)
         CROSS JOIN LATERAL (
               SELECT message_id, contact_id, attempt, priority, due_at FROM outbox
                WHERE state = 'queued' AND lane = %(lane)s AND channel = %(channel)s
                  AND message_class = kind.message_class AND priority = level.priority AND due_at <= %(now)s
                ORDER BY due_at, message_id LIMIT %(limit)s
                  FOR UPDATE SKIP LOCKED) AS queued
         LIMIT %(limit)s)
    SELECT due.message_id, due.contact_id, due.attempt, due.priority,
           COALESCE(CASE m.channel WHEN 'email' THEN c.email WHEN 'sms' THEN c.phone ELSE c.public_id::text END, ''),
           m.public_id::text, m.channel, m.message_class, m.topic, m.override_cap, m.template_version_id,
           m.context::text, m.quiet_hours::text
      FROM due JOIN messages m ON m.id = due.message_id LEFT JOIN contacts c ON c.id = due.contact_id
     ORDER BY due.priority DESC, due.due_at, due.message_id
"""

_COUNT_DUE = """
    SELECT count(*) FROM (
        SELECT FROM generate_series(1, 10) AS level (priority)
         CROSS JOIN unnest(%(classes)s::text[]) AS kind (message_class)
         CROSS JOIN LATERAL (
               SELECT FROM outbox
                WHERE state = 'queued' AND lane = %(lane)s AND channel = %(channel)s
                  AND message_class = kind.message_class AND priority = level.priority AND due_at <= %(now)s
                ORDER BY due_at, message_id LIMIT %(limit)s) AS queued -- in order: else the planner hopes for luck
         LIMIT %(limit)s) AS due
"""

_LOCK_PEOPLE = """
    SELECT id, email, merged_into_id IS NOT NULL, frequency_cap::text, attributes::text, public_id::text, external_id,
           phone, timezone, locale, region, owner_email
      FROM contacts WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
"""

_SUPPRESSIONS = """
    SELECT address_id, scope, reason FROM suppressions
     WHERE address_id = ANY(%s) AND released_at IS NULL ORDER BY id
"""

_WAITING = """
    SELECT o.message_id, o.contact_id, m.channel, m.message_class, m.topic, o.priority, m.override_cap,
           m.quiet_hours::text, c.timezone
      FROM outbox o JOIN contacts c ON c.id = o.contact_id JOIN messages m ON m.id = o.message_id
     WHERE o.contact_id = ANY(%s) AND o.state = 'queued' AND o.due_at <= %s
       AND m.channel = 'email' AND m.message_class = 'marketing' AND NOT m.override_cap
"""

_START = """
    UPDATE outbox o
       SET state = 'sending', attempt = o.attempt + 1, claimed_at = %s, lease_until = %s, address_id = r.address_id
      FROM unnest(%s::bigint[], %s::bigint[]) AS r (message_id, address_id)
     WHERE o.message_id = r.message_id
"""


def waiting(lane: str, *, channel: str = "email", classes: Sequence[str] = CLASSES, limit: int, now: datetime) -> int:
    """How many messages of the lane, channel and classes are due, counted up to `limit`."""
    with connection.cursor() as cursor:
        asked: dict[str, Any] = {"lane": lane, "channel": channel, "classes": list(classes), "now": now, "limit": limit}
        cursor.execute(_COUNT_DUE, asked)
        return cursor.fetchone()[0]


def claim(
    lane: str,
    *,
    channel: str = "email",
    classes: Sequence[str] = CLASSES,
    limit: int,
    provider: str,
    now: datetime,
) -> Batch:
    """T1. Take up to `limit` due messages of the lane and channel, best first; decide each; write the decisions down.

    `classes`: those that are not held now. `provider` empty: nobody delivers this channel, and every message of it is
    rejected as `no_provider`. The claims may be sent once the caller's transaction is committed, and until `now` +
    SEND_LEASE_SECONDS at the latest. A constant number of statements."""
    channels = frozenset({channel} if provider else ())
    with connection.cursor() as cursor:
        asked: dict[str, Any] = {"lane": lane, "channel": channel, "classes": list(classes), "now": now, "limit": limit}
        cursor.execute(_CLAIM, asked)
        taken = [Due(*row) for row in cursor.fetchall()]
    if not taken:
        return Batch(0, ())
    rows = _rows(taken, channels, now=now)
    early = _read(taken, rows, channels, now=now) if chaos.mutant("gate_reads_before_it_locks") else None
    chaos.point("delivery.gate")
    addresses.lock(rows.values())
    people = _lock_people({due.contact_id for due in taken})
    if merged := [person.contact_id for person in people.values() if person.merged]:
        merging.rehome(merged, now=now)  # their consent and their cap are the survivor's
    # Whoever changed their address between the two looks is locked at the wrong one, and who was merged is somebody
    # else: the next batch takes them.
    kept = [due for due in taken if due.contact_id not in people or _is_as_seen(due, people[due.contact_id])]
    known = early or _read(kept, rows, channels, now=now)
    decided = verdicts.decide(
        [_candidate(due, rows.get(_where(due)), people.get(due.contact_id), now) for due in kept],
        known,
        caps={person.contact_id: caps.cap_of(person.frequency_cap) for person in people.values()},
    )
    _write(kept, decided, rows, provider=provider, now=now)
    claims = (
        Claim(due, due.attempt + 1, rows[_where(due)], people[due.contact_id])
        for due, verdict in zip(kept, decided, strict=True)
        if verdict.kind == "claimed"
    )
    return Batch(len(taken), tuple(claims))


def _where(due: Due) -> Place:
    return due.channel, due.address


def _rows(taken: Sequence[Due], channels: frozenset[str], *, now: datetime) -> dict[Place, int]:
    """The ids of the rows of those addresses that something can be sent to, channel by channel."""
    found: dict[Place, int] = {}
    for channel in sorted(channels & {due.channel for due in taken}):
        given = {due.address for due in taken if due.channel == channel and due.address}
        usable = {address for address in given if channel != "email" or is_email(address)}
        ids = addresses.rows(channel=channel, given=usable, now=now)
        found |= {(channel, address): address_id for address, address_id in ids.items()}
    return found


def _is_as_seen(due: Due, person: Person) -> bool:
    return address_of(person, due.channel) == due.address and not person.merged


def address_of(person: Person, channel: str) -> str:
    """Where the person is reached by that channel; push messages go to whatever devices the contact has."""
    return person.email if channel == "email" else person.fields["phone" if channel == "sms" else "id"]


def _lock_people(contact_ids: Collection[int]) -> dict[int, Person]:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_PEOPLE, [sorted(contact_ids)])
        return {row[0]: _person(row) for row in cursor.fetchall()}


def _person(row: Sequence[Any]) -> Person:
    contact_id, email, merged, cap, attributes, *rest = row
    names = ("id", "external_id", "phone", "timezone", "locale", "region", "owner_email")
    fields = dict(zip(names, rest, strict=True)) | {"email": email}
    return Person(contact_id, email, merged, json.loads(cap or "null"), json.loads(attributes), fields)


def _read(taken: Sequence[Due], rows: Mapping[Place, int], channels: frozenset[str], *, now: datetime) -> Known:
    """Everything that decides, read in statements that begin once the locks are held."""
    contact_ids = sorted({due.contact_id for due in taken})
    # who waits in line waits with a mail; of a contact without one in this batch nobody asks for the place in line
    mails = {due.contact_id: rows.get(_where(due)) for due in taken if due.channel == "email"}
    suppressions: dict[int, list[Standing]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_SUPPRESSIONS, [sorted(rows.values())])
        for address_id, scope, reason in cursor.fetchall():
            suppressions.setdefault(address_id, []).append(Standing(scope, reason))
        cursor.execute(_WAITING, [contact_ids, now])
        line = [
            Candidate(
                message, contact, mails.get(contact), channel, kind, topic, priority, override, _quiet(hours, zone, now)
            )
            for message, contact, channel, kind, topic, priority, override, hours, zone in cursor.fetchall()
        ]
    asked = sorted(
        {(due.contact_id, due.topic, due.channel) for due in taken}
        | {(each.contact_id, each.topic, each.channel) for each in line}
    )
    return Known(
        suppressions=suppressions,
        denied=consent.marketing_denied(
            [contact for contact, _, _ in asked], [topic for _, topic, _ in asked], [channel for _, _, channel in asked]
        ),
        sent=caps.count(contact_ids, now=now),
        channels=channels,
        waiting=line,
    )


def _quiet(hours: str | None, timezone: str, now: datetime) -> quiet_hours.Quiet | None:
    return quiet_hours.quiet_now(hours, timezone=timezone, default=settings.DEFAULT_TIMEZONE, now=now)


def _candidate(due: Due, address_id: int | None, person: Person | None, now: datetime) -> Candidate:
    return Candidate(
        due.message_id,
        due.contact_id,
        address_id if person else None,
        due.channel,
        due.message_class,
        due.topic,
        due.priority,
        due.override_cap,
        _quiet(due.quiet_hours, person.fields["timezone"] if person else "", now),
    )


def _due_at(until: datetime, reason: str, now: datetime) -> datetime:
    """A place under the cap is free at that instant; quiet hours end by the clock on the wall, which TIME_SPEED does
    not turn."""
    return until if reason == verdicts.CAP else now + (until - now) / settings.TIME_SPEED


def _write(
    taken: Sequence[Due], decided: Sequence[Verdict], rows: Mapping[Place, int], *, provider: str, now: datetime
) -> None:
    lease_until = now + timedelta(seconds=settings.SEND_LEASE_SECONDS)
    claims: list[ledger.Entry] = []
    skips: list[ledger.Entry] = []
    later: list[tuple[ledger.Entry, datetime, int]] = []  # with when, and how many attempts were used
    for due, verdict in zip(taken, decided, strict=True):
        is_claim = verdict.kind == "claimed"
        entry = ledger.Entry(
            message_id=due.message_id,
            kind=verdict.kind,
            attempt=due.attempt + is_claim,
            reason=verdict.reason,
            address_id=rows.get(_where(due)),
            provider=provider if is_claim else "",
            cap_delta=verdict.cap_delta,
            counts_at=now if verdict.cap_delta else None,
            evidence=verdict.evidence,
        )
        if verdict.until is not None:
            later.append((entry, _due_at(verdict.until, verdict.reason, now), due.attempt))
        else:
            (claims if is_claim else skips).append(entry)
    with connection.cursor() as cursor:
        cursor.execute(_START, [now, lease_until, [e.message_id for e in claims], [e.address_id for e in claims]])
    ledger.append(claims, now=now)
    ledger.close(skips, now=now)
    ledger.requeue(
        [entry for entry, _, _ in later],
        due_at=[due_at for _, due_at, _ in later],
        attempts=[attempts for _, _, attempts in later],
        now=now,
    )
    facts.record(
        [
            facts.once(entry.message_id, SKIP_EVENTS[entry.kind], now, reason=entry.reason)
            for entry in skips
            if entry.kind in SKIP_EVENTS
        ],
        now=now,
    )
