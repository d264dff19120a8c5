"""What is happening, for the admin's start page: one frozen structure, read in a handful of statements.

The template gets it as `start` (a `StartPage`). Everything in it is a plain value, ready to be shown; instants are
aware UTC datetimes, ages are seconds, and nothing is None except an age where the queue is empty.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.http import HttpRequest

from analytics import books, queues
from analytics.counters import ALL
from contacts import clock
from delivery import trouble
from delivery.trouble import Trouble
from workflows.entry import brake
from workflows.entry.brake import Braked
from workflows.figures import figures

SKIPPED = ("suppressed", "capped", "cancelled")
OUTCOMES = ("accepted", "rejected", "in_doubt", "undetermined", *SKIPPED)


@dataclass(frozen=True)
class Journey:
    """A published workflow. `here_now` counts everybody who is unfinished: pending, active and waiting; `waiting` those
    of them who stand at a wait. `entered` = here_now + completed + exited + failed."""

    slug: str
    name: str
    status: str  # live · paused
    entered: int
    here_now: int
    waiting: int
    completed: int
    exited: int
    failed: int


@dataclass(frozen=True)
class Outcome:
    """How many messages came to `state` in the last 24 hours, and why where a reason is kept, most frequent first:
    (("frequency_cap", 12), ("unsubscribe", 3)). States without messages are left out."""

    state: str  # one of OUTCOMES
    count: int
    reasons: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class StartPage:
    """contacts      -- people, without merged and erased ones
    events_today  -- recorded since midnight UTC
    opens         -- messages opened by a human, ever
    mqls          -- contacts that ever became marketing qualified
    journeys      -- live and paused ones, by name
    outcomes      -- messages of the last 24 hours, in the order of OUTCOMES; `sent` and `skipped` are sums of it
    post          -- what is the matter with the post office, as it was a few seconds ago
    braked        -- journeys that far more people entered than usual, so that those who come now wait for somebody
    queues        -- every queue with its lane, depth, oldest age in seconds and whether that is too old
    balanced      -- whether every book balances; `unbalanced` are the books that do not (name, left, right)"""

    at: datetime
    contacts: int
    events_today: int
    opens: int
    mqls: int
    journeys: tuple[Journey, ...]
    outcomes: tuple[Outcome, ...]
    sent: int
    skipped: int
    post: tuple[Trouble, ...]
    braked: tuple[Braked, ...]
    queues: tuple[queues.Queue, ...]
    balanced: bool
    unbalanced: tuple[books.Book, ...]


_TOTALS = f"""
    SELECT (SELECT count(*) FROM contacts WHERE merged_into_id IS NULL AND erased_at IS NULL),
           (SELECT count(*) FROM event_keys WHERE recorded_at >= %s),
           (SELECT COALESCE(sum(amount), 0)::bigint FROM {ALL} AS counted WHERE metric = 'opened'),
           (SELECT count(DISTINCT contact_id) FROM lifecycle_events WHERE to_stage = 'mql')
"""
_OUTCOMES = """
    SELECT kind, reason, count(*) FROM contact_send_log WHERE kind = ANY(%s) AND at > %s
     GROUP BY 1, 2 ORDER BY 3 DESC, 2
"""
_JOURNEYS = "SELECT id, slug, name, status FROM workflows WHERE status IN ('live', 'paused') ORDER BY name, slug"


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What Unfold calls for the start page: adds `start`."""
    return {**context, "start": read(now=clock.now())}


def read(*, now: datetime) -> StartPage:
    """The page as of `now`; the books may be a few seconds older."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(_TOTALS, [midnight])
        contacts, events_today, opens, mqls = cursor.fetchone()
    outcomes = _outcomes(now)
    unbalanced = tuple(book for book in books.glance() if not book.balanced)
    return StartPage(
        at=now,
        contacts=contacts,
        events_today=events_today,
        opens=opens,
        mqls=mqls,
        journeys=_journeys(),
        outcomes=outcomes,
        sent=sum(outcome.count for outcome in outcomes if outcome.state == "accepted"),
        skipped=sum(outcome.count for outcome in outcomes if outcome.state in SKIPPED),
        post=tuple(trouble.glance(now=now)),
        braked=tuple(brake.held()),
        queues=queues.read(now=now),
        balanced=not unbalanced,
        unbalanced=unbalanced,
    )


def _journeys() -> tuple[Journey, ...]:
    with connection.cursor() as cursor:
        cursor.execute(_JOURNEYS)
        rows = cursor.fetchall()
    known = figures([row[0] for row in rows])
    return tuple(
        Journey(slug, name, status, **(asdict(known[workflow_id]) if workflow_id in known else _NOBODY))
        for workflow_id, slug, name, status in rows
    )


_NOBODY = {"entered": 0, "here_now": 0, "waiting": 0, "completed": 0, "exited": 0, "failed": 0}


def _outcomes(now: datetime) -> tuple[Outcome, ...]:
    with connection.cursor() as cursor:
        cursor.execute(_OUTCOMES, [list(OUTCOMES), now - timedelta(hours=24)])
        rows = cursor.fetchall()
    outcomes = []
    for state in OUTCOMES:
        counts = [(reason, count) for kind, reason, count in rows if kind == state]
        if counts:
            reasons = tuple((reason, count) for reason, count in counts if reason)
            outcomes.append(Outcome(state, sum(count for _, count in counts), reasons))
    return tuple(outcomes)
