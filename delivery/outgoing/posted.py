"""What the answers of endpoints mean: delivered, again later, or given up; and for the endpoint whether it fails, and
for how long already."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from delivery.models import WebhookEndpoint
from delivery.outgoing import endpoints
from delivery.outgoing.calls import Answered, Unanswered

# The pauses after each attempt, as receivers of Standard Webhooks expect them: ten attempts in about three days.
PAUSES = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
MOST_ATTEMPTS = len(PAUSES) + 1
JITTER = 0.1  # of a pause, either way
LONGEST_ASKED = timedelta(hours=24)  # for which a receiver may put us off (Retry-After)
PUTS_OFF = frozenset({429, 503})
FAILS_FOR = timedelta(days=5)  # after which an endpoint that answered nothing well is disabled
GONE = 410


@dataclass(frozen=True)
class Claim:
    """A call that is to be made now. `attempt` counts from 1."""

    id: int
    endpoint_id: int
    attempt: int
    event_id: int | None
    event_recorded_at: datetime | None


@dataclass(frozen=True)
class Outcome:
    """`reason` empty: delivered. `again_at`: it is called again then."""

    claim: Claim
    status: int | None
    reason: str
    took: int  # milliseconds
    again_at: datetime | None = None

    @property
    def state(self) -> str:
        return "queued" if self.again_at else "failed" if self.reason else "delivered"


def meaning(claim: Claim, answer: Answered | Unanswered, took: int, *, now: datetime) -> Outcome:
    """What an answer means. Pure, but for the jitter."""
    status = answer.status if isinstance(answer, Answered) else None
    if status is not None and 200 <= status < 300:
        return Outcome(claim, status, "", took)
    if isinstance(answer, Unanswered):
        reason = answer.reason
    else:
        reason = "redirected" if 300 <= answer.status < 400 else f"status_{answer.status}"
    if claim.attempt >= MOST_ATTEMPTS:
        return Outcome(claim, status, reason, took)
    pause = PAUSES[claim.attempt - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  (no secret)
    return Outcome(claim, status, reason, took, now + max(pause, _asked(answer)))


def _asked(answer: Answered | Unanswered) -> timedelta:
    if not isinstance(answer, Answered) or answer.status not in PUTS_OFF:
        return timedelta(0)
    asked = answer.headers.get("retry-after", "")
    seconds = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 0
    return min(timedelta(seconds=seconds), LONGEST_ASKED)


def write(outcomes: Sequence[Outcome], *, now: datetime) -> None:
    """Only of calls that are still those that were made: whoever comes after the end of the lease changes nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, attempts FROM webhook_deliveries WHERE id = ANY(%s) AND state = 'calling'"
            " ORDER BY id FOR UPDATE",
            [[outcome.claim.id for outcome in outcomes]],
        )
        ours = dict(cursor.fetchall())
        outcomes = [each for each in outcomes if ours.get(each.claim.id) == each.claim.attempt]
        cursor.execute(
            """
            UPDATE webhook_deliveries d
               SET state = r.state, due_at = COALESCE(r.again_at, d.due_at), status = r.status, reason = r.reason,
                   duration_ms = r.took, finished_at = CASE r.state WHEN 'queued' THEN NULL ELSE %s END
              FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::smallint[], %s::text[], %s::int[])
                   AS r(id, state, again_at, status, reason, took)
             WHERE d.id = r.id
            """,
            [now, *_columns(outcomes)],
        )
    _judge(outcomes, now)


def _columns(outcomes: Sequence[Outcome]) -> list[list[Any]]:
    return [
        [each.claim.id for each in outcomes],
        [each.state for each in outcomes],
        [each.again_at for each in outcomes],
        [each.status for each in outcomes],
        [each.reason for each in outcomes],
        [each.took for each in outcomes],
    ]


def _judge(outcomes: Sequence[Outcome], now: datetime) -> None:
    """Endpoints whose calls begin or cease to fail, those that are gone, and those that failed for too long. An
    endpoint's row is locked and written only where that changes something."""
    well = {each.claim.endpoint_id for each in outcomes if not each.reason}
    badly = {each.claim.endpoint_id for each in outcomes} - well
    gone = {each.claim.endpoint_id for each in outcomes if each.status == GONE}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM webhook_endpoints WHERE state = 'enabled' AND (id = ANY(%s)"
            " OR (id = ANY(%s) AND failing_since IS NOT NULL)"
            " OR (id = ANY(%s) AND (failing_since IS NULL OR failing_since <= %s)))",
            [list(gone), list(well), list(badly), now - FAILS_FOR],
        )
        changing = [endpoint_id for (endpoint_id,) in cursor.fetchall()]
    found = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk__in=changing, state="enabled")
    for endpoint in found.order_by("pk") if changing else ():
        if endpoint.pk in gone:
            endpoints.stop(endpoint, reason=endpoints.GONE, now=now)
        elif endpoint.pk in well:
            _note_failing(endpoint, None)
        elif endpoint.failing_since is None:
            _note_failing(endpoint, now)
        elif endpoint.failing_since <= now - FAILS_FOR:
            endpoints.stop(endpoint, reason=endpoints.FAILING, now=now)


def _note_failing(endpoint: WebhookEndpoint, since: datetime | None) -> None:
    endpoint.failing_since = since
    endpoint.save(update_fields=["failing_since"])


def close(refused: Mapping[int, str], *, now: datetime) -> None:
    """Deliveries that are not made, and why. The caller holds their rows."""
    if not refused:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE webhook_deliveries d SET state = 'failed', reason = r.reason, finished_at = %s
              FROM unnest(%s::bigint[], %s::text[]) AS r(id, reason) WHERE d.id = r.id
            """,
            [now, list(refused), list(refused.values())],
        )
