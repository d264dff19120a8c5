"""How fast one journey calls the servers of others: WEBHOOK_CALLS_PER_MINUTE, by reservation, as mail to a domain that
takes only so much (`delivery.rates.pacing`).

A call gets its turn when it is claimed. If that is now, it is made; if not, it is put back, due at its turn, and made
when that has come without asking again. So nothing is lost, and a journey with a great many calls is in no other's
way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from contacts import outside
from delivery.rates import pacing

HELD = "waits_for_its_turn"  # the reason of a queued call that has a turn
LASTING = timedelta(minutes=5)


@dataclass(frozen=True)
class Backlog:
    """A journey whose calls wait for their turns, the last of them until `until`."""

    slug: str
    workflow_id: int
    calls: int
    until: datetime


def waits(workflow_ids: Iterable[int], *, lane: str, now: datetime) -> Sequence[timedelta]:
    """How long a call of each of these journeys has to wait for its turn: nothing, or until then. Reserves the turns.
    One call of Redis. A simulation calls nobody, so nobody has to wait."""
    wanted = list(workflow_ids)
    counts = Counter(f"calls of {workflow_id}" for workflow_id in wanted)
    if not counts or outside.is_closed():
        return [timedelta()] * len(wanted)
    rates = dict.fromkeys(counts, settings.WEBHOOK_CALLS_PER_MINUTE / 60)
    found = {name: iter(each) for name, each in pacing.reserve(rates, counts, lane=lane, now=now).items()}
    return [timedelta(seconds=next(found[f"calls of {workflow_id}"])) for workflow_id in wanted]


def has_turn(reason: str, due_at: datetime, now: datetime) -> bool:
    """Whether a call that is due has reserved this turn, and comes in time for it."""
    return reason == HELD and due_at > now - pacing.KEPT


def hold(due: Mapping[int, datetime], cursor: Any) -> None:
    """These calls wait for their turns: call -> when that is. One statement, or none."""
    if due:
        cursor.execute(
            "UPDATE webhook_calls c SET state = 'queued', reason = %s, lease_until = NULL, due_at = h.due_at"
            "  FROM unnest(%s::bigint[], %s::timestamptz[]) AS h(id, due_at) WHERE c.id = h.id",
            [HELD, list(due), list(due.values())],
        )


def lasting(*, now: datetime) -> list[Backlog]:
    """Journeys whose calls will wait for their turns for longer than LASTING, the longest first. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT w.slug, w.id, count(*), max(c.due_at) FROM webhook_calls c JOIN workflows w ON w.id = c.workflow_id"
            " WHERE c.state = 'queued' AND c.reason = %s GROUP BY 1, 2 HAVING max(c.due_at) > %s ORDER BY 4 DESC, 1",
            [HELD, now + LASTING],
        )
        return [Backlog(*row) for row in cursor.fetchall()]
