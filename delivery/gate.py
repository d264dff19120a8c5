"""The gate: the last look before a message goes out, and the claim that lets it go. One transaction, called T1.

READ COMMITTED, and the order of its statements is the promise: it locks in one statement and reads in a later one. A
statement that waited for a lock still reads the snapshot that it took before it waited, so a gate that locks and checks
in one statement lets the unsubscribe through that it waited for.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from contacts import chaos, consent, merging
from contacts.identifiers import is_email
from delivery import addresses, caps, due, facts, frozen, ledger, quiet_hours, verdicts
from delivery.due import Due, Share
from delivery.rates import warming
from delivery.rates.routes import CLASSES
from delivery.verdicts import Candidate, Known, Standing, Verdict

Place = tuple[str, str]  # a channel, and an address of it
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
class Claim:
    """A message that may be sent now. `attempt` counts from 1. `place`: the day of a warm-up that it counts on."""

    due: Due
    attempt: int
    address_id: int
    person: Person
    place: warming.Place | None = None


@dataclass(frozen=True)
class Batch:
    """`taken`: how many due messages were looked at, those that may not be sent included."""

    taken: int
    claims: tuple[Claim, ...]
    claimed_at: datetime | None = None


_LOCK_PEOPLE = """
    SELECT id, email, merged_into_id IS NOT NULL, frequency_cap::text, attributes::text, public_id::text, external_id,
           phone, timezone, locale, region, owner_email
      FROM contacts WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
"""

_SUPPRESSIONS = """
    SELECT address_id, id, scope, reason, released_at IS NULL FROM suppressions WHERE address_id = ANY(%s) ORDER BY id
"""

_WAITING = """
    SELECT o.message_id, o.contact_id, m.channel, m.message_class, m.topic, o.priority, m.override_cap,
           m.quiet_hours::text, c.timezone
      FROM outbox o JOIN contacts c ON c.id = o.contact_id JOIN messages m ON m.id = o.message_id
     WHERE o.contact_id = ANY(%s) AND o.state = 'queued' AND o.due_at <= %s
       AND o.channel = %s AND m.message_class = 'marketing' AND NOT m.override_cap
       AND o.lane <> %s -- what is laid aside is in no line
"""

_START = """
    UPDATE outbox o
       SET state = 'sending', attempt = o.attempt + 1, claimed_at = %s, lease_until = %s, address_id = r.address_id
      FROM unnest(%s::bigint[], %s::bigint[]) AS r (message_id, address_id)
     WHERE o.message_id = r.message_id
"""


def claim(
    lane: str,
    *,
    channel: str = "email",
    shares: Sequence[Share] = (),
    warm_up: warming.Domain | None = None,
    limit: int,
    provider: str,
    now: datetime,
) -> Batch:
    """T1. Take up to `limit` due messages of the lane and channel, best first; decide each; write the decisions down.

    `shares`: of which classes, and how many of each (none given: of all, up to `limit`). `warm_up`: the domain that
    marketing is sent from, while it is warmed up; its allowance is kept exactly. `provider` empty: nobody delivers this
    channel, and every message of it is rejected as `no_provider`. The claims may be sent once the caller's transaction
    is committed, and until `now` + SEND_LEASE_SECONDS at the latest. A constant number of statements."""
    channels = frozenset({channel} if provider else ())
    of_these = _within(shares or [Share(CLASSES, limit)], warm_up)
    found = due.take(lane, channel=channel, shares=of_these, limit=limit, now=now)
    free = frozen.lay_aside(found)
    taken = due.whose_turn_it_is(free, lane=lane, now=now) if provider else free
    if not taken:
        return Batch(len(found), ())
    rows = _rows(taken, channels, now=now)
    too_early = chaos.mutant("gate_reads_before_it_locks") or chaos.mutant("cap_is_counted_before_the_lock")
    early = _read(taken, rows, channel, channels, now=now) if too_early else None
    chaos.point("delivery.gate")
    addresses.lock(rows.values())
    people = _lock_people({each.contact_id for each in taken})
    if merged := [person.contact_id for person in people.values() if person.merged]:
        merging.rehome(merged, now=now)  # their consent and their cap are the survivor's
    # Whoever changed their address between the two looks is locked at the wrong one, and who was merged is somebody
    # else: the next batch takes them.
    kept = [each for each in taken if each.contact_id not in people or _is_as_seen(each, people[each.contact_id])]
    known = _read(kept, rows, channel, channels, now=now)
    if early:
        known = early if chaos.mutant("gate_reads_before_it_locks") else replace(known, sent=early.sent)
    decided = verdicts.decide(
        [_candidate(each, rows.get(_where(each)), people.get(each.contact_id), now) for each in kept],
        known,
        caps=caps.of_people({person.contact_id: person.frequency_cap for person in people.values()}, channel),
    )
    # the last lock, as in T2
    place = warming.lock(warm_up, now=now) if warm_up and any(map(_counts_for_warm_up, kept, decided)) else None
    if place:
        kept, decided = _as_many_as_are_left(kept, decided, place.left)
    _write(kept, decided, rows, provider=provider, now=now)
    claims = tuple(
        Claim(
            each,
            each.attempt + 1,
            rows[_where(each)],
            people[each.contact_id],
            place if each.message_class == "marketing" else None,
        )
        for each, verdict in zip(kept, decided, strict=True)
        if verdict.kind == "claimed"
    )
    if place:
        warming.add(place, sum(1 for each in claims if each.place))
    return Batch(len(found), claims, now)


def still_allowed(doubts: Sequence[Due], *, reached: Mapping[int, int], now: datetime) -> list[Claim]:
    """Of messages in doubt, all of one channel, those that may go once more to where they went (`reached`: the id of
    that address, by message). Locks addresses and contacts and reads as `claim` does, and writes nothing. Caps and
    quiet hours are not asked again: what is in doubt has its place. The caller locks the outbox rows, and looks at
    them."""
    channel = doubts[0].channel
    channels = frozenset({channel})
    rows = _rows(doubts, channels, now=now)
    addresses.lock(rows.values())
    people = _lock_people({each.contact_id for each in doubts})
    kept = [
        each
        for each in doubts
        if each.contact_id in people
        and _is_as_seen(each, people[each.contact_id])
        and rows.get(_where(each)) == reached[each.message_id]
    ]
    known = _read(kept, rows, channel, channels, now=now)
    return [
        Claim(each, each.attempt + 1, rows[_where(each)], people[each.contact_id])
        for each in kept
        if verdicts.refusal(_candidate(each, rows[_where(each)], people[each.contact_id], now), known) is None
    ]


def refused(claims: Sequence[Claim], *, now: datetime) -> frozenset[str]:
    """Which of these (by `public_id`) would be refused by now, as suppressed or for want of consent. Locks nothing:
    what is not among them may be refused a moment later."""
    suppressions, _ = _suppressions({claim.address_id for claim in claims})
    said = _words({(claim.due.contact_id, claim.due.topic, claim.due.channel) for claim in claims})
    known = Known(
        suppressions=suppressions,
        denied={triple for triple, word in said.items() if word.is_denied},
        channels=frozenset(claim.due.channel for claim in claims),
    )
    return frozenset(
        claim.due.public_id
        for claim in claims
        if verdicts.refusal(_candidate(claim.due, claim.address_id, claim.person, now), known) is not None
    )


def _within(shares: Sequence[Share], warm_up: warming.Domain | None) -> list[Share]:
    """Marketing by itself, no more than seemed to be left today, where its domain is warmed up."""
    if warm_up is None:
        return list(shares)
    apart: list[Share] = []
    for share in shares:
        others = tuple(each for each in share.classes if each != "marketing")
        if others:
            apart.append(Share(others, share.limit))
        if "marketing" in share.classes:
            apart.append(Share(("marketing",), min(share.limit, warm_up.left)))
    return apart


def _counts_for_warm_up(each: Due, verdict: Verdict) -> bool:
    return each.message_class == "marketing" and verdict.kind == "claimed"


def _as_many_as_are_left(kept: Sequence[Due], decided: Sequence[Verdict], left: int) -> tuple[list[Due], list[Verdict]]:
    """Without the claims that today's allowance has no place for: their rows stay as they are."""
    stay: list[tuple[Due, Verdict]] = []
    for each, verdict in zip(kept, decided, strict=True):
        if _counts_for_warm_up(each, verdict):
            left -= 1
            if left < 0:
                continue
        stay.append((each, verdict))
    return [each for each, _ in stay], [verdict for _, verdict in stay]


def _where(each: Due) -> Place:
    return each.channel, each.address


def _rows(taken: Sequence[Due], channels: frozenset[str], *, now: datetime) -> dict[Place, int]:
    """The ids of the rows of those addresses that something can be sent to, channel by channel."""
    found: dict[Place, int] = {}
    for channel in sorted(channels & {each.channel for each in taken}):
        given = {each.address for each in taken if each.channel == channel and each.address}
        usable = {address for address in given if channel != "email" or is_email(address)}
        ids = addresses.rows(channel=channel, given=usable, now=now)
        found |= {(channel, address): address_id for address, address_id in ids.items()}
    return found


def _is_as_seen(each: Due, person: Person) -> bool:
    return address_of(person, each.channel) == each.address and not person.merged


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


def _read(
    taken: Sequence[Due], rows: Mapping[Place, int], channel: str, channels: frozenset[str], *, now: datetime
) -> Known:
    """Everything that decides, read in statements that begin once the locks are held."""
    contact_ids = sorted({each.contact_id for each in taken})
    # who waits in line waits with an address; of a contact without one in this batch nobody asks for the place in line
    reached = {each.contact_id: rows.get(_where(each)) for each in taken}
    suppressions, last_suppression = _suppressions(rows.values())
    line: list[Candidate] = []
    is_capped = caps.is_capped(channel)
    if is_capped:
        with connection.cursor() as cursor:
            cursor.execute(_WAITING, [contact_ids, now, channel, frozen.LANE])
            line = [
                Candidate(
                    message,
                    contact,
                    reached.get(contact),
                    of,
                    kind,
                    topic,
                    priority,
                    override,
                    _quiet(hours, zone, now),
                )
                for message, contact, of, kind, topic, priority, override, hours, zone in cursor.fetchall()
            ]
    said = _words(
        {(each.contact_id, each.topic, each.channel) for each in taken}
        | {(each.contact_id, each.topic, each.channel) for each in line}
    )
    return Known(
        suppressions=suppressions,
        denied={triple for triple, word in said.items() if word.is_denied},
        sent=caps.count(contact_ids, channel=channel, now=now) if is_capped else {},
        channels=channels,
        waiting=line,
        last_suppression=last_suppression,
        last_consent={triple: word.record_id for triple, word in said.items() if word.record_id is not None},
    )


def _suppressions(address_ids: Collection[int]) -> tuple[dict[int, list[Standing]], dict[int, int]]:
    """Those that stand, and the youngest of all, by address."""
    standing: dict[int, list[Standing]] = {}
    last: dict[int, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(_SUPPRESSIONS, [sorted(address_ids)])
        for address_id, suppression_id, scope, reason, stands in cursor.fetchall():
            last[address_id] = suppression_id
            if stands:
                standing.setdefault(address_id, []).append(Standing(scope, reason))
    return standing, last


def _words(triples: Collection[tuple[int, str, str]]) -> dict[tuple[int, str, str], consent.Word]:
    """What was last said about marketing, by (contact, topic, channel)."""
    if chaos.mutant("gate_asks_for_no_consent"):
        return {}  # a drill may build in the belief that it was asked for when the message was queued
    asked = sorted(triples)
    return consent.marketing_words(
        [contact for contact, _, _ in asked], [topic for _, topic, _ in asked], [of for _, _, of in asked]
    )


def _quiet(hours: str | None, timezone: str, now: datetime) -> quiet_hours.Quiet | None:
    return quiet_hours.quiet_now(hours, timezone=timezone, default=settings.DEFAULT_TIMEZONE, now=now)


def _candidate(each: Due, address_id: int | None, person: Person | None, now: datetime) -> Candidate:
    return Candidate(
        each.message_id,
        each.contact_id,
        address_id if person else None,
        each.channel,
        each.message_class,
        each.topic,
        each.priority,
        each.override_cap,
        _quiet(each.quiet_hours, person.fields["timezone"] if person else "", now),
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
    for each, verdict in zip(taken, decided, strict=True):
        is_claim = verdict.kind == "claimed"
        entry = ledger.Entry(
            message_id=each.message_id,
            kind=verdict.kind,
            attempt=each.attempt + is_claim,
            reason=verdict.reason,
            address_id=rows.get(_where(each)),
            provider=provider if is_claim else "",
            cap_delta=verdict.cap_delta,
            counts_at=now if verdict.cap_delta else None,
            evidence=verdict.evidence,
        )
        if verdict.until is not None:
            later.append((entry, _due_at(verdict.until, verdict.reason, now), each.attempt))
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
