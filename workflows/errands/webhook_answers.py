"""What the answers to calls mean, and where they go: into the row of the call, into the log as `webhook_answered` or
`webhook_failed`, and into the enrolment's trigger as `trigger.webhook.<step>`; who waits at the step is woken."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from contacts import doorbell
from contacts.collect import strict_json
from contacts.events import OWN, NewEvent, record_batch
from delivery.outgoing.calls import Answered, Unanswered
from workflows.entry import hops

LONGEST_PAUSE = timedelta(minutes=10)
PASSING = frozenset({408, 425, 429})  # and every 5xx
ANSWER_LIMITS = strict_json.Limits(depth=16, string=8 * 1024, total=16 * 1024)


@dataclass(frozen=True)
class Claim:
    """A call that is to be made now. `attempt` counts from 1."""

    id: int
    public_id: str
    enrolment_id: int
    step: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    attempt: int
    claimed_at: datetime


@dataclass(frozen=True)
class Outcome:
    """What came of a call. `again_at`: it is made again then. `answer`: the JSON of the body."""

    claim: Claim
    status: int | None
    answer: Any
    reason: str  # empty: answered
    again_at: datetime | None = None


def meaning(claim: Claim, answer: Answered | Unanswered, *, now: datetime) -> Outcome:
    """What an answer means. Pure, but for the jitter."""
    if isinstance(answer, Answered) and 200 <= answer.status < 300:
        return Outcome(claim, answer.status, _json(answer), "")
    status = answer.status if isinstance(answer, Answered) else None
    passing = (status in PASSING or status >= 500) if status is not None else not _refused(answer)
    if status is None:
        reason = answer.reason if isinstance(answer, Unanswered) else ""
    else:
        reason = "redirected" if 300 <= status < 400 else f"status_{status}"
    if passing and claim.attempt < settings.WEBHOOK_MAX_ATTEMPTS:
        return Outcome(claim, status, None, reason, now + _pause(claim.attempt, answer))
    return Outcome(claim, status, _json(answer) if isinstance(answer, Answered) else None, reason)


def _refused(answer: Answered | Unanswered) -> bool:
    return isinstance(answer, Unanswered) and answer.refused


def _pause(attempt: int, answer: Answered | Unanswered) -> timedelta:
    seconds = settings.WEBHOOK_BACKOFF_MS / 1000 * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311  (jitter)
    asked = answer.headers.get("retry-after", "") if isinstance(answer, Answered) else ""
    if asked.isascii() and asked.isdigit() and len(asked) < 6:
        seconds = max(seconds, int(asked))
    return min(timedelta(seconds=seconds), LONGEST_PAUSE)


def _json(answer: Answered) -> Any:
    """The body, where it is JSON that we can keep; else null."""
    if not answer.is_whole or not answer.body.strip():
        return None
    try:
        value = strict_json.read(answer.body)
    except (strict_json.NotJson, strict_json.TooManyValues):
        return None
    return None if strict_json.fault_in({"body": value}, ANSWER_LIMITS) else value


def write(outcomes: Sequence[Outcome], *, now: datetime) -> None:
    """Only of calls that are still those that were made: whoever comes after the end of the lease changes nothing. The
    enrolments are locked before the calls, as the engine does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.id, jsonb_build_object('via', e.trigger -> 'via', 'hops', e.trigger -> 'hops')::text, w.slug"
            "  FROM workflow_enrolments e"
            " JOIN workflows w ON w.id = e.workflow_id WHERE e.id = ANY(%s) ORDER BY e.id FOR NO KEY UPDATE OF e",
            [sorted(outcome.claim.enrolment_id for outcome in outcomes)],
        )
        journeys = {enrolment_id: (json.loads(led_here), slug) for enrolment_id, led_here, slug in cursor.fetchall()}
        cursor.execute(
            "SELECT id, attempts, contact_id, lane FROM webhook_calls WHERE id = ANY(%s) AND state = 'calling'"
            " ORDER BY id FOR UPDATE",
            [[outcome.claim.id for outcome in outcomes]],
        )
        ours = {call_id: rest for call_id, *rest in cursor.fetchall()}
        outcomes = [each for each in outcomes if ours.get(each.claim.id, [0])[0] == each.claim.attempt]
        _put_back([each for each in outcomes if each.again_at], cursor)
        final = [each for each in outcomes if not each.again_at]
        _finish(final, now, cursor)
    for lane in sorted({ours[each.claim.id][2] for each in final}):
        mine = [each for each in final if ours[each.claim.id][2] == lane]
        events = [_event(each, ours[each.claim.id][1], *journeys[each.claim.enrolment_id], now) for each in mine]
        record_batch(events, source=OWN, now=now, lane=lane)
        doorbell.ring_on_commit("workflows.advance", lane)


def _put_back(again: Sequence[Outcome], cursor: Any) -> None:
    cursor.execute(
        """
        UPDATE webhook_calls c SET state = 'queued', due_at = r.due_at, lease_until = NULL, status = r.status,
               reason = r.reason
          FROM unnest(%s::bigint[], %s::timestamptz[], %s::smallint[], %s::text[]) AS r(id, due_at, status, reason)
         WHERE c.id = r.id
        """,
        [
            [each.claim.id for each in again],
            [each.again_at for each in again],
            [each.status for each in again],
            [each.reason for each in again],
        ],
    )


def _finish(final: Sequence[Outcome], now: datetime, cursor: Any) -> None:
    """The calls' rows, and what their enrolments know from now on; who waits at the step is woken. Headers may hold
    keys: they go."""
    answers = [json.dumps(each.answer, ensure_ascii=False) for each in final]
    cursor.execute(
        """
        UPDATE webhook_calls c SET state = CASE r.reason WHEN '' THEN 'answered' ELSE 'failed' END, status = r.status,
               answer = NULLIF(r.answer::jsonb, 'null'), reason = r.reason, headers = '{}', lease_until = NULL,
               finished_at = %s
          FROM unnest(%s::bigint[], %s::smallint[], %s::text[], %s::text[]) AS r(id, status, answer, reason)
         WHERE c.id = r.id
        """,
        [
            now,
            [each.claim.id for each in final],
            [each.status for each in final],
            answers,
            [each.reason for each in final],
        ],
    )
    cursor.execute(
        """
        UPDATE workflow_enrolments e
           SET trigger = e.trigger || jsonb_build_object('properties', p.properties || jsonb_build_object('webhook',
                   CASE jsonb_typeof(p.properties -> 'webhook') WHEN 'object' THEN p.properties -> 'webhook'
                        ELSE '{}' END
                   || jsonb_build_object(r.step, jsonb_build_object('status', r.status, 'body', r.answer::jsonb)))),
               wake_at = CASE WHEN e.state = 'waiting' AND e.step = r.step THEN LEAST(e.wake_at, %s)
                              ELSE e.wake_at END
          FROM unnest(%s::bigint[], %s::text[], %s::smallint[], %s::text[]) AS r(id, step, status, answer)
         CROSS JOIN LATERAL (SELECT COALESCE(t.trigger -> 'properties', '{}') AS properties
                               FROM workflow_enrolments t WHERE t.id = r.id) AS p
         WHERE e.id = r.id AND e.state IN ('active', 'waiting')
        """,
        [
            now,
            [each.claim.enrolment_id for each in final],
            [each.claim.step for each in final],
            [each.status for each in final],
            answers,
        ],
    )


def _event(outcome: Outcome, contact_id: int, led_here: Mapping[str, Any], slug: str, now: datetime) -> NewEvent:
    claim = outcome.claim
    result = {"reason": outcome.reason} if outcome.reason else {"body": outcome.answer}
    return NewEvent(
        type="webhook_failed" if outcome.reason else "webhook_answered",
        occurred_at=now,
        contact=contact_id,
        properties={"workflow": slug, "step": claim.step, "status": outcome.status, **result},
        context=hops.context(led_here, slug),
        key=f"webhook_call:{claim.public_id}",
        own=True,
    )
