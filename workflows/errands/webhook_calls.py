"""The calls that steps `call_webhook` ask for: made outside any transaction, written down in one, at least once.

    claim    a lease, committed: a worker that is killed leaves a call that is due again when its lease is over; what is
             more than its journey may call now waits for its turn (`call_turns`)
    call     all of a batch at once (`delivery.outgoing.calls`); the slow ones are waited for by a thread of their own,
             so the lane goes on
    record   `webhook_answers`

A receiver may get a call more than once; `webhook-id` is then the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection

from contacts import chaos, doorbell, freezing, outside, tracing, transactions
from delivery.outbox import LANES
from delivery.outgoing import calls, signatures
from delivery.outgoing.calls import Answered, Request, Unanswered
from workflows.errands import call_turns, webhook_answers
from workflows.errands.webhook_answers import Claim

BELL = "workflows.call_webhooks"
BATCH = 50
MOST_AT_ONCE = 200  # of one process
PATIENCE = 0.4  # seconds for which the lane waits with a batch
LEASE_MARGIN = timedelta(seconds=5)

_THAWED = f"{freezing.THAWED} AND workflow_id NOT IN ({freezing.FROZEN_WORKFLOWS})"

LEAVES = freezing.Way(
    "webhook_calls",
    "q.state = 'calling' AND q.lease_until > now() AND (%(workflow)s::bigint IS NULL OR q.workflow_id = %(workflow)s)",
)

_under_way = threading.Semaphore(MOST_AT_ONCE)


@dataclass(frozen=True)
class NewCall:
    """What a step wants made."""

    enrolment_id: int
    seq: int
    contact_id: int
    workflow_id: int
    step: str
    lane: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True)
class Result:
    """How far a call has come; `detail` is for the journal. `turn_at`: it waits for its turn until then."""

    is_final: bool
    detail: Mapping[str, Any]
    turn_at: datetime | None = None


def enqueue(new: Sequence[NewCall], *, lane: str, now: datetime) -> None:
    """Leave calls of one lane in the transaction of their steps. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO webhook_calls (enrolment_id, seq, contact_id, workflow_id, step, lane, method, url, headers,
                                       body, due_at)
            SELECT enrolment_id, seq, contact_id, workflow_id, step, %s, method, url, headers::jsonb, body, %s
              FROM unnest(%s::bigint[], %s::int[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[],
                          %s::text[], %s::text[])
                   AS c(enrolment_id, seq, contact_id, workflow_id, step, method, url, headers, body)
            ON CONFLICT ON CONSTRAINT one_webhook_call_per_enrolment_and_seq DO NOTHING
            """,
            [
                lane,
                now,
                [call.enrolment_id for call in new],
                [call.seq for call in new],
                [call.contact_id for call in new],
                [call.workflow_id for call in new],
                [call.step for call in new],
                [call.method for call in new],
                [call.url for call in new],
                [json.dumps(dict(call.headers)) for call in new],
                [call.body for call in new],
            ],
        )
    doorbell.ring_on_commit(BELL, LANES[lane])


def results(enrolment_ids: Collection[int], step: str) -> dict[int, Result]:
    """How far the last calls of these enrolments at this step have come. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (enrolment_id) enrolment_id, state, status, reason, attempts, due_at FROM webhook_calls"
            " WHERE enrolment_id = ANY(%s) AND step = %s ORDER BY enrolment_id, seq DESC",
            [sorted(enrolment_ids), step],
        )
        return {
            enrolment_id: Result(
                state in ("answered", "failed"),
                _detail(status, reason, attempts),
                due_at if reason == call_turns.HELD else None,
            )
            for enrolment_id, state, status, reason, attempts, due_at in cursor.fetchall()
        }


def _detail(status: int | None, reason: str, attempts: int) -> dict[str, Any]:
    said: dict[str, Any] = {"status": status} if status is not None else {}
    return {**said, **({"failed": reason} if reason else {}), "attempts": attempts}


def give_up(waited_for: Sequence[tuple[int, str]], *, now: datetime) -> None:
    """The calls of these (enrolment, step) are waited for no longer. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE webhook_calls c SET state = 'failed', reason = 'no_answer_in_time', headers = '{}', finished_at = %s
              FROM unnest(%s::bigint[], %s::text[]) AS w(enrolment_id, step)
             WHERE c.enrolment_id = w.enrolment_id AND c.step = w.step AND c.state IN ('queued', 'calling')
            """,
            [now, [enrolment_id for enrolment_id, _ in waited_for], [step for _, step in waited_for]],
        )


def drop_batch(*, before: datetime, reason: str, now: datetime) -> int:
    """Calls that were asked for before this instant are not made, in the caller's transaction: who waits for one goes
    on as if it had failed. Returns how many."""
    dropped = 0
    for lane in LANES:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT c.id FROM webhook_calls c LEFT JOIN workflow_enrolments e"
                "    ON e.id = c.enrolment_id AND e.waiting_since >= %s"
                " WHERE c.lane = %s AND c.state IN ('queued', 'calling') AND e.id IS NULL"
                " ORDER BY c.id LIMIT %s FOR UPDATE OF c",
                [before, lane, BATCH],
            )
            found = [call_id for (call_id,) in cursor.fetchall()]
        _close_unmade([(call_id, reason) for call_id in found], lane, now)
        dropped += len(found)
    return dropped


def lanes_with_work(*, now: datetime) -> list[str]:
    """The queues on whose lanes calls are due."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT lane FROM unnest(%s::text[]) AS lane WHERE EXISTS ("
            "SELECT FROM webhook_calls c WHERE c.lane = lane.lane AND c.state IN ('queued', 'calling')"
            f" AND c.due_at <= %s AND {_THAWED})",
            [list(LANES), now],
        )
        return [LANES[lane] for (lane,) in cursor.fetchall()]


def call_batch(lane: str, *, patience: float | None = PATIENCE) -> bool:
    """Make the calls that are due in the lane (urgent or bulk), at most one batch. Returns whether there were any that
    this process could take. Whatever is not answered within `patience` seconds is recorded later, by a thread."""
    places = _places(BATCH)
    if not places:
        return False
    taken, claims = transactions.run(lambda now: _claim(lane, places, now))
    _leave(places - len(claims))
    chaos.point("workflows.calls_claimed")
    came_from = partial(tracing.of, "enrolment", [claim.enrolment_id for claim in claims])
    with tracing.batch("webhooks.call", links=came_from, size=len(claims), lane=lane):
        started = {_start(claim): claim for claim in claims}
        done, late = wait(started, timeout=patience)
        _record({future: started[future] for future in done})
    if late:
        slow = {future: started[future] for future in late}
        threading.Thread(target=_record_late, args=(slow, lane), name="webhook answers", daemon=True).start()
    return taken


def _places(wanted: int) -> int:
    """How many calls this process may begin now, each to be given back by `_leave`."""
    found = 0
    while found < wanted and _under_way.acquire(blocking=False):
        found += 1
    return found


def _leave(places: int) -> None:
    if places:
        _under_way.release(places)


def _claim(lane: str, limit: int, now: datetime) -> tuple[bool, list[Claim]]:
    """Whether any was due, and those to be made. Who left the step meanwhile needs no answer; whose journey calls too
    fast waits."""
    lease_until = now + timedelta(seconds=settings.WEBHOOK_TIMEOUT_SECONDS) + LEASE_MARGIN
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT id, public_id::text, enrolment_id, step, method, url, headers::text, body, attempts, workflow_id,
                   reason, due_at
              FROM webhook_calls
             WHERE lane = %s AND state IN ('queued', 'calling') AND due_at <= %s AND {_THAWED}
             ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
            """,
            [lane, now, limit],
        )
        rows = cursor.fetchall()
        if not rows:
            return False, []
        cursor.execute(
            "SELECT id, step FROM workflow_enrolments WHERE id = ANY(%s) AND state = 'waiting'",
            [[row[2] for row in rows]],
        )
        waiting = set(cursor.fetchall())
        claims: list[Claim] = []
        closed: list[tuple[int, str]] = []
        asking: dict[int, int] = {}  # call -> journey, of those that have no turn yet
        for call_id, public_id, enrolment_id, step, method, url, headers, body, attempts, *turn in rows:
            if (enrolment_id, step) not in waiting:
                closed.append((call_id, "nobody_waits"))
            elif attempts >= settings.WEBHOOK_MAX_ATTEMPTS:
                closed.append((call_id, "worker_lost"))
            else:
                journey, reason, due_at = turn
                if not call_turns.has_turn(reason, due_at, now):
                    asking[call_id] = journey
                claims.append(
                    Claim(
                        call_id,
                        public_id,
                        enrolment_id,
                        step,
                        method,
                        url,
                        json.loads(headers),
                        body.encode("utf-8", "replace"),
                        attempts + 1,
                        now,
                    )
                )
        held = {
            call_id: now + wait
            for call_id, wait in zip(asking, call_turns.waits(asking.values(), lane=lane, now=now), strict=True)
            if wait
        }
        call_turns.hold(held, cursor)
        claims = [claim for claim in claims if claim.id not in held]
        # `due_at` is the end of the lease, so a call whose worker is lost comes due by itself
        cursor.execute(
            "UPDATE webhook_calls SET state = 'calling', attempts = attempts + 1, reason = '', lease_until = %s,"
            " due_at = %s WHERE id = ANY(%s)",
            [lease_until, lease_until, [claim.id for claim in claims]],
        )
    _close_unmade(closed, lane, now)
    return True, claims


def _close_unmade(closed: Sequence[tuple[int, str]], lane: str, now: datetime) -> None:
    """Who still waits for one is woken."""
    if not closed:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE webhook_calls c SET state = 'failed', reason = r.reason, headers = '{}', finished_at = %s
              FROM unnest(%s::bigint[], %s::text[]) AS r(id, reason) WHERE c.id = r.id
            RETURNING c.enrolment_id, c.step
            """,
            [now, [call_id for call_id, _ in closed], [reason for _, reason in closed]],
        )
        left = cursor.fetchall()
        cursor.execute(
            """
            UPDATE workflow_enrolments e SET wake_at = %s FROM unnest(%s::bigint[], %s::text[]) AS w(id, step)
             WHERE e.id = w.id AND e.step = w.step AND e.state = 'waiting' AND e.wake_at > %s
            """,
            [now, [enrolment_id for enrolment_id, _ in left], [step for _, step in left], now],
        )
    doorbell.ring_on_commit("workflows.advance", lane)


def _start(claim: Claim) -> Future[Answered | Unanswered]:
    if outside.is_closed():  # a simulation calls nobody
        simulated: Future[Answered | Unanswered] = Future()
        simulated.set_result(Unanswered("simulated", refused=True))
        return simulated
    signed = signatures.headers(webhook_id=claim.public_id, at=claim.claimed_at, body=claim.body)
    return calls.start(Request(claim.method, claim.url, {**claim.headers, **signed}, claim.body))


def _record(finished: Mapping[Future[Answered | Unanswered], Claim]) -> None:
    if not finished:
        return
    try:
        made = [(claim, future.result()) for future, claim in finished.items()]
        transactions.run(
            lambda now: webhook_answers.write(
                [webhook_answers.meaning(claim, answer, now=now) for claim, answer in made], now=now
            )
        )
    finally:
        _leave(len(finished))


def _record_late(started: Mapping[Future[Answered | Unanswered], Claim], lane: str) -> None:
    try:
        wait(started, timeout=settings.WEBHOOK_TIMEOUT_SECONDS + LEASE_MARGIN.total_seconds())
        _record(started)
        doorbell.ring(BELL, LANES[lane])  # there may be more than this process could take at once
    finally:
        connection.close()
