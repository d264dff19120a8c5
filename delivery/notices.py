"""Mail to those who work here: the owner of a contact hears that somebody wants to be called, the author of a template
sees how it arrives.

Handed over as messages are: claimed under a lease and committed, sent while no transaction is open, written down. What
may have been taken is never sent again. A notice is no message of the contact's, so it meets no cap and no consent; an
address that nothing may go to at all (`all`: bounces, complaints, by hand) gets no notice either, unless it is the
address of whoever asked for it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from contacts import chaos, clock, doorbell, freezing, transactions
from contacts.identifiers import is_email
from delivery import addresses, outcomes, providers
from delivery.authoring import rendering
from delivery.outbox import LANES
from delivery.providers import base, faults
from delivery.providers.base import Answer, Attachment, Letter
from delivery.rates import resting, routes, stopping, throttle
from delivery.verdicts import ALL

BATCH = 50
START_SHARE = 0.9  # of the lease
_DUE = f"state = 'queued' AND lane = %s AND due_at <= %s AND {freezing.THAWED}"


@dataclass(frozen=True)
class Notice:
    """A mail to one address of ours. `key` names what made it: a second one with the same key is dropped. `contact_id`:
    whom it is about, if anybody. `asked_by_reader`: it goes to whoever asked for it, suppressed or not."""

    contact_id: int | None
    to_address: str
    subject: str
    text: str
    key: str
    lane: str  # urgent · bulk
    html: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    asked_by_reader: bool = False
    attachments: Sequence[Attachment] = ()


@dataclass(frozen=True)
class _Claim:
    id: int
    public_id: str
    to_address: str
    subject: str
    text: str
    html: str
    headers: str  # JSON
    attachments: str  # JSON
    asked_by_reader: bool
    attempt: int
    created_at: datetime


def enqueue(notices: Sequence[Notice], *, now: datetime) -> None:
    """Leave notices with the post office, inside the transaction of their cause. One statement."""
    assert transaction.get_connection().in_atomic_block, "a notice is born in the transaction of its cause"
    if not notices:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO staff_notices (idempotency_key, contact_id, lane, to_address, subject, text, html, headers,
                                       asked_by_reader, attachments, due_at, created_at)
            SELECT key, contact_id, lane, to_address, subject, text, html, headers::jsonb, asked_by_reader,
                   attachments::jsonb, %s, %s
              FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                          %s::text[], %s::boolean[], %s::text[])
                   AS n(key, contact_id, lane, to_address, subject, text, html, headers, asked_by_reader, attachments)
             ORDER BY key
                ON CONFLICT (idempotency_key) DO NOTHING
            """,
            [
                now,
                now,
                [notice.key for notice in notices],
                [notice.contact_id for notice in notices],
                [notice.lane for notice in notices],
                [notice.to_address for notice in notices],
                [rendering.one_line(notice.subject)[: rendering.LONGEST_SUBJECT] for notice in notices],
                [notice.text for notice in notices],
                [notice.html for notice in notices],
                [json.dumps(dict(notice.headers)) for notice in notices],
                [notice.asked_by_reader for notice in notices],
                [json.dumps([asdict(each) for each in notice.attachments]) for notice in notices],
            ],
        )
    for lane in sorted({notice.lane for notice in notices}):
        doorbell.ring_on_commit("delivery.deliver", LANES[lane])


def waiting(lane: str, *, now: datetime) -> int:
    """How many are due, counted up to a batch."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM (SELECT FROM staff_notices WHERE {_DUE} LIMIT %s) AS due", [lane, now, BATCH]
        )
        return cursor.fetchone()[0]


def deliver_batch(lane: str) -> bool:
    """Send what is due in the lane, at most one batch. Returns whether there was anything to do."""
    now = clock.now()
    wanted = waiting(lane, now=now)
    if not wanted:
        return False
    way = routes.way("email", now=now)
    if not way.classes or (way.health.is_trial and not resting.try_again(way.provider, now=now)):
        return False  # nobody takes mail now
    provider = providers.named(way.provider)
    wanted = min(wanted, resting.TRIED) if way.health.is_trial else wanted
    if provider.is_throttled:
        wanted = throttle.take(provider.name, wanted, lane=lane).count
        if not wanted:
            return False  # the sweeper rings again; messages go first
    t0 = time.monotonic()
    taken, claims = transactions.run(lambda now: _claim(lane, wanted, now))
    if provider.is_throttled:
        throttle.give_back(provider.name, wanted - len(claims))
    chaos.point("delivery.notices_claimed")
    if claims:
        letters = [_letter(claim) for claim in claims]
        start_before = t0 + START_SHARE * settings.SEND_LEASE_SECONDS
        answers = faults.deliver(provider, letters, mids=[letter.mid for letter in letters], start_before=start_before)
        transactions.run(lambda now: _record(provider.name, claims, answers, now))
        if (was_reached := resting.says(answers.values(), way.health)) is not None:
            asked = outcomes.longest_asked(list(answers.values()))
            transactions.run(lambda now: resting.note(provider.name, was_reached, way.health, now=now, at_least=asked))
    return taken > 0


def reap_batch() -> bool:
    """Notices whose worker was lost: they may have been sent, and are not sent again."""
    return transactions.run(_reap)


def _reap(now: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE staff_notices SET state = 'in_doubt', reason = 'worker_lost', text = '', html = '',
                   attachments = '[]', finished_at = %s
             WHERE id IN (SELECT id FROM staff_notices WHERE state = 'sending' AND lease_until < %s
                           ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
            """,
            [now, now - timedelta(seconds=settings.ESP_TIMEOUT_SECONDS), BATCH],
        )
        return cursor.rowcount > 0


def _claim(lane: str, limit: int, now: datetime) -> tuple[int, list[_Claim]]:
    """As the gate does: the addresses are locked in one statement, and what bars them is read in a later one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, public_id::text, to_address, subject, text, html, headers::text, attachments::text,"
            " asked_by_reader, attempt, created_at"
            f" FROM staff_notices WHERE {_DUE} ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED",
            [lane, now, limit],
        )
        found = [_Claim(*row) for row in cursor.fetchall()]
        rows = addresses.rows(
            channel="email", given={each.to_address for each in found if is_email(each.to_address)}, now=now
        )
        addresses.lock(rows.values())
        cursor.execute(
            "SELECT address_id, min(reason) FROM suppressions"
            " WHERE address_id = ANY(%s) AND released_at IS NULL AND scope = %s GROUP BY 1",
            [sorted(rows.values()), ALL],
        )
        barred = dict(cursor.fetchall())
        closed: list[tuple[int, str, str]] = []
        claims: list[_Claim] = []
        for each in found:
            address_id = rows.get(each.to_address)
            if address_id is None:
                closed.append((each.id, "rejected", "no_address"))
            elif address_id in barred and not each.asked_by_reader:
                closed.append((each.id, "suppressed", barred[address_id]))
            else:
                claims.append(each)
        _close(closed, now)
        cursor.execute(
            """
            UPDATE staff_notices n SET state = 'sending', attempt = n.attempt + 1, lease_until = %s,
                   address_id = r.address_id
              FROM unnest(%s::bigint[], %s::bigint[]) AS r(id, address_id) WHERE n.id = r.id
            """,
            [
                now + timedelta(seconds=settings.SEND_LEASE_SECONDS),
                [claim.id for claim in claims],
                [rows[claim.to_address] for claim in claims],
            ],
        )
    return len(found), claims


def _letter(claim: _Claim) -> Letter:
    return Letter(
        mid=claim.public_id,
        to_address=claim.to_address,
        from_address=settings.EMAIL_FROM,
        from_name=rendering.one_line(settings.EMAIL_FROM_NAME),
        subject=claim.subject,
        html=claim.html,
        text=claim.text,
        headers=json.loads(claim.headers) or {base.AUTO_SUBMITTED: "auto-generated"},
        attachments=[Attachment(**each) for each in json.loads(claim.attachments)],
    )


def _record(provider: str, claims: Sequence[_Claim], answers: dict[str, Answer], now: datetime) -> None:
    """What was answered, of those that are still ours."""
    late = Answer(base.NOT_STARTED, "lease_over")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, attempt FROM staff_notices WHERE id = ANY(%s) AND state = 'sending' ORDER BY id FOR UPDATE",
            [[claim.id for claim in claims]],
        )
        still_open = dict(cursor.fetchall())
        closed: list[tuple[int, str, str]] = []
        again: list[tuple[int, datetime, int]] = []
        for claim in claims:
            answer, attempt = answers.get(claim.public_id, late), claim.attempt + 1
            if still_open.get(claim.id) != attempt:
                continue
            if answer.kind in (base.ACCEPTED, base.REJECTED, base.IN_DOUBT):
                closed.append((claim.id, answer.kind, answer.reason))
            elif _is_not_its_own(answer) and now - claim.created_at < outcomes.PUT_BACK_FOR:
                again.append((claim.id, now + outcomes.pause(attempt, answer.retry_after), claim.attempt))
            elif answer.kind in (base.NOT_STARTED, base.STOP):
                again.append((claim.id, now, claim.attempt))
            elif attempt >= settings.ESP_MAX_ATTEMPTS:
                closed.append((claim.id, "rejected", "retries_exhausted"))
            else:
                again.append((claim.id, now + outcomes.pause(attempt, answer.retry_after), attempt))
        _close(closed, now)
        cursor.execute(
            """
            UPDATE staff_notices n SET state = 'queued', due_at = r.due_at, attempt = r.attempt, lease_until = NULL
              FROM unnest(%s::bigint[], %s::timestamptz[], %s::smallint[]) AS r(id, due_at, attempt) WHERE n.id = r.id
            """,
            [[each[0] for each in again], [each[1] for each in again], [each[2] for each in again]],
        )
    if stops := [answer for answer in answers.values() if answer.kind == base.STOP]:
        stopping.stop(provider, f"{stops[0].code} {stops[0].reason}", now=now)


def _is_not_its_own(answer: Answer) -> bool:
    """Whether nothing of this answer is the notice's fault."""
    return answer.reason == outcomes.NO_CONNECTION or answer.reason in outcomes.OF_ALL_OF_US


def _close(closed: Sequence[tuple[int, str, str]], now: datetime) -> None:
    """(id, state, reason): final. The words go."""
    if not closed:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE staff_notices n SET state = r.state, reason = r.reason, text = '', html = '', attachments = '[]',
                   finished_at = %s
              FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS r(id, state, reason) WHERE n.id = r.id
            """,
            [now, [each[0] for each in closed], [each[1] for each in closed], [each[2] for each in closed]],
        )
