"""Doubts that somebody can end before a webhook or the deadline does: a provider that knows a second request with the
same key is given the message once more; one that can be asked is asked.

A first look is taken half a minute after the worker gave up, and each later one once the doubt is twice as old. Both
ways can only prove that the provider has the message: whatever else comes of them, the doubt stays. What a provider no
longer is configured for is not asked of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from contacts import chaos, freezing, transactions
from delivery import facts, gate, in_doubt, ledger, providers, sending, starts
from delivery.due import Due
from delivery.ledger import Entry
from delivery.outcomes import Answered
from delivery.providers import base
from delivery.providers.base import Provider
from delivery.rates import stopping, throttle

BATCH = 24  # so many questions are asked within one look, and a look has to end
REPEAT = "repeat"  # the reason of a claim that hands over again
PATIENCE = timedelta(seconds=30)  # most doubts end by a webhook meanwhile
MARGIN = timedelta(minutes=1)  # before the provider forgets the key

# The age of a key is counted from the claim that the doubt is about. The next look is written down before anything is
# asked, so that a worker that dies over it is not followed by another one at once.
_TAKE = f"""
    WITH found AS (
        SELECT o.message_id, first.provider, first.at
          FROM outbox o
          JOIN LATERAL (
               SELECT provider, at FROM contact_send_log
                WHERE message_id = o.message_id AND kind = 'claimed' AND reason <> %(repeat)s
                ORDER BY id DESC LIMIT 1) AS first ON true
         WHERE o.state = 'in_doubt' AND o.lease_until < %(given_up_before)s AND o.due_at <= %(now)s
           AND first.provider = ANY(%(able)s) AND {freezing.THAWED}
         ORDER BY o.message_id LIMIT %(limit)s
           FOR UPDATE OF o SKIP LOCKED)
    UPDATE outbox o SET due_at = %(now)s + (%(now)s - found.at)
      FROM found JOIN messages m ON m.id = found.message_id
     WHERE o.message_id = found.message_id
    RETURNING o.message_id, m.public_id::text, o.channel, found.provider, found.at
"""

_READ = """
    SELECT o.message_id, o.contact_id, o.attempt, o.priority, o.due_at, o.address_id,
           COALESCE(CASE m.channel WHEN 'email' THEN c.email WHEN 'sms' THEN c.phone ELSE c.public_id::text END, ''),
           m.public_id::text, m.channel, m.message_class, m.topic, m.template_version_id, m.context::text
      FROM outbox o JOIN messages m ON m.id = o.message_id LEFT JOIN contacts c ON c.id = o.contact_id
     WHERE o.message_id = ANY(%s) AND o.state = 'in_doubt' ORDER BY o.message_id
"""

# Asked here, not where they are read: this statement begins once their table is locked.
_START = f"""
    UPDATE outbox o SET state = 'sending', attempt = o.attempt + 1, claimed_at = %s, lease_until = %s
      FROM messages m
     WHERE o.message_id = ANY(%s) AND m.id = o.message_id AND {freezing.THAWED}
       AND COALESCE(m.workflow_id NOT IN ({freezing.FROZEN_WORKFLOWS}), true)
    RETURNING o.message_id
"""

_AS_OLD_AS_IT_WAS = """
    UPDATE outbox o SET lease_until = r.lease_until
      FROM unnest(%s::bigint[], %s::timestamptz[]) AS r (message_id, lease_until) WHERE o.message_id = r.message_id
"""


@dataclass(frozen=True)
class _Doubt:
    message_id: int
    mid: str
    channel: str
    provider: str
    claimed_at: datetime


def inquire_batch() -> bool:
    """Take a look at some doubts whose time it is. Returns whether there were any."""
    able = {provider.name: provider for provider in _able()}
    if not able:
        return False
    doubts = transactions.run(lambda now: _take(sorted(able), now))
    for place in sorted({(doubt.provider, doubt.channel) for doubt in doubts}):
        _inquire(able[place[0]], [doubt for doubt in doubts if (doubt.provider, doubt.channel) == place])
    return bool(doubts)


def _able() -> list[Provider]:
    names = {name for channel in providers.CHANNELS for name in providers.names(channel)}
    known = [providers.named(name) for name in sorted(names) if not stopping.is_stopped(name)]
    return [provider for provider in known if provider.repeats_within or provider.can_look_up]


def _take(able: Sequence[str], now: datetime) -> list[_Doubt]:
    given_up_before = now - PATIENCE / settings.TIME_SPEED
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE,
            {"able": list(able), "repeat": REPEAT, "now": now, "given_up_before": given_up_before, "limit": BATCH},
        )
        return sorted((_Doubt(*row) for row in cursor.fetchall()), key=lambda doubt: doubt.message_id)


def _inquire(provider: Provider, doubts: Sequence[_Doubt]) -> None:
    if provider.can_look_up:
        answers = provider.look_up([doubt.mid for doubt in doubts])
        has = {mid for mid, answer in answers.items() if answer.kind == base.ACCEPTED}
        found = [doubt.message_id for doubt in doubts if doubt.mid in has]
        transactions.run(lambda now: in_doubt.resolve(found, reason="looked_up", now=now))
        doubts = [doubt for doubt in doubts if doubt.mid not in has]
    if provider.repeats_within and doubts:
        _repeat(provider, doubts)


def _repeat(provider: Provider, doubts: Sequence[_Doubt]) -> None:
    """Hand over once more, under a lease of its own and past the same gate."""
    if provider.is_throttled:
        granted = throttle.take(provider.name, len(doubts), lane="bulk").count
        doubts = doubts[:granted]
    t0 = time.monotonic()
    claims = transactions.run(lambda now: _claim(provider, doubts, now)) if doubts else []
    starts.begin([], claimed_at=None)  # what is in doubt stays so, whether its repetition starts or not
    chaos.point("delivery.repeat_claimed")
    if claims:
        start_before = t0 + sending.START_SHARE * settings.SEND_LEASE_SECONDS
        answered = sending.hand_over(provider, claims, start_before=start_before)
        since = {doubt.message_id: doubt.claimed_at for doubt in doubts}
        transactions.run(lambda now: _record(provider.name, answered, since, now))


def _claim(provider: Provider, doubts: Sequence[_Doubt], now: datetime) -> list[gate.Claim]:
    keeps = timedelta(seconds=provider.repeats_within or 0.0) - MARGIN
    young = [doubt.message_id for doubt in doubts if now - doubt.claimed_at < keeps]
    with connection.cursor() as cursor:
        cursor.execute(_READ, [young])
        rows = cursor.fetchall()
    if not rows:
        return []
    reached = {row[0]: row[5] for row in rows}
    allowed = gate.still_allowed([_due(*row) for row in rows], reached=reached, now=now)
    # The outbox last, as whoever folds a report does: it is the report that may be ending the doubt just now.
    still = ledger.lock_open([claim.due.message_id for claim in allowed])
    claims = [
        claim
        for claim in allowed
        if (row := still.get(claim.due.message_id)) and (row.state, row.attempt) == ("in_doubt", claim.due.attempt)
    ]
    lease_until = now + timedelta(seconds=settings.SEND_LEASE_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute(_START, [now, lease_until, [claim.due.message_id for claim in claims]])
        started = {message_id for (message_id,) in cursor.fetchall()}
    claims = [claim for claim in claims if claim.due.message_id in started]
    ledger.append([_entry(claim, "claimed", REPEAT, provider.name) for claim in claims], now=now)
    return claims


def _due(  # noqa: PLR0917  (the columns of a row)
    message_id: int,
    contact_id: int,
    attempt: int,
    priority: int,
    due_at: datetime,
    address_id: int,
    address: str,
    public_id: str,
    channel: str,
    message_class: str,
    topic: str,
    template_version_id: int,
    context: str,
) -> Due:
    return Due(
        message_id=message_id,
        contact_id=contact_id,
        attempt=attempt,
        priority=priority,
        due_at=due_at,
        is_paced=False,
        address=address,
        public_id=public_id,
        channel=channel,
        message_class=message_class,
        topic=topic,
        override_cap=True,
        template_version_id=template_version_id,
        context=context,
        quiet_hours=None,
    )


def _record(provider: str, answered: Sequence[Answered], since: Mapping[int, datetime], now: datetime) -> None:
    """Accepted ends the doubt. Any other answer may have been given before the provider looked for the key; then the
    doubt is as old as it was (`since`: the claim that it is about), and its deadline comes no later."""
    still_open = ledger.lock_open([each.claim.due.message_id for each in answered])
    accepted: list[Entry] = []
    doubtful: list[Entry] = []
    for each in answered:
        row = still_open.get(each.claim.due.message_id)
        if row is None or row.state == "queued" or row.attempt != each.claim.attempt:
            continue
        if each.answer.kind == base.ACCEPTED:
            accepted.append(_entry(each.claim, "accepted", "repeated", provider, each.answer))
        else:
            reason = f"{REPEAT}_{each.answer.reason or each.answer.kind}"
            doubtful.append(_entry(each.claim, "deferred", reason, provider, each.answer))
    ledger.close(accepted, now=now)
    ledger.doubt(doubtful, now=now)
    lease = timedelta(seconds=settings.SEND_LEASE_SECONDS)
    of = [entry.message_id for entry in doubtful]
    with connection.cursor() as cursor:
        cursor.execute(_AS_OLD_AS_IT_WAS, [of, [since[message_id] + lease for message_id in of]])
    facts.record([facts.once(entry.message_id, facts.SENT, now) for entry in accepted], now=now)
    if stops := [each.answer for each in answered if each.answer.kind == base.STOP]:
        stopping.stop(provider, f"{stops[0].code} {stops[0].reason}", now=now)


def _entry(claim: gate.Claim, kind: str, reason: str, provider: str, answer: base.Answer | None = None) -> Entry:
    return Entry(
        message_id=claim.due.message_id,
        kind=kind,
        attempt=claim.attempt,
        reason=reason,
        address_id=claim.address_id,
        provider=provider,
        provider_code=answer.code if answer else None,
        provider_said=answer.said if answer else "",
    )
