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
from django.urls import reverse

from analytics.counting import books
from analytics.counting.counters import ALL
from analytics.health import queues
from contacts import clock
from delivery import trouble
from delivery.trouble import Trouble
from workflows import gallery
from workflows.builder.layout.miniature import miniature
from workflows.entry import brake
from workflows.entry.brake import Braked
from workflows.figures import figures

SKIPPED = ("suppressed", "capped", "cancelled")
FAILED = "failed"  # the queue of steps that wait for somebody's decision
OUTCOMES = ("accepted", "rejected", "in_doubt", "undetermined", *SKIPPED)


@dataclass(frozen=True)
class Journey:
    """A published workflow. `here_now` counts everybody who is unfinished: pending, active and waiting; `waiting` those
    of them who stand at a wait. `entered` = here_now + completed + exited + failed."""

    id: int
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
class Problem:
    """`words` for one and for more of them: ("failed step", "failed steps")."""

    count: int
    words: tuple[str, str]

    def __str__(self) -> str:
        return f"{self.count:,} {self.words[self.count != 1]}"


@dataclass(frozen=True)
class StartPage:
    """contacts      -- people, without merged and erased ones
    events_today  -- recorded since midnight UTC
    entered_today, sent_today -- contacts who entered journeys, and messages that a provider took, since midnight UTC
    problems      -- what waits for a person: how many of what, and whether it is grave
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
    entered_today: int
    sent_today: int
    opens: int
    mqls: int
    journeys: tuple[Journey, ...]
    outcomes: tuple[Outcome, ...]
    sent: int
    skipped: int
    post: tuple[Trouble, ...]
    braked: tuple[Braked, ...]
    queues: tuple[queues.Queue, ...]
    problems: tuple[Problem, ...]
    balanced: bool
    unbalanced: tuple[books.Book, ...]

    @property
    def is_new(self) -> bool:
        """Whether this installation has nothing to show yet."""
        return not (self.contacts or self.journeys or self.events_today)

    @property
    def live(self) -> int:
        return sum(journey.status == "live" for journey in self.journeys)


_TOTALS = f"""
    SELECT (SELECT count(*) FROM contacts WHERE merged_into_id IS NULL AND erased_at IS NULL),
           (SELECT count(*) FROM event_keys WHERE recorded_at >= %s),
           (SELECT COALESCE(sum(amount), 0)::bigint
              FROM (SELECT day, amount, metric, facet, step FROM counters WHERE day = %s AND facet = ''
                     UNION ALL SELECT day, amount, metric, facet, step FROM counter_deltas WHERE day = %s) AS today
             WHERE metric = 'entered' AND facet = '' AND step = ''),
           (SELECT count(*) FROM contact_send_log WHERE kind = 'accepted' AND at >= %s),
           (SELECT COALESCE(sum(amount), 0)::bigint FROM {ALL} AS counted WHERE metric = 'opened'),
           (SELECT count(DISTINCT contact_id) FROM lifecycle_events WHERE to_stage = 'mql')
"""
_OUTCOMES = """
    SELECT kind, reason, count(*) FROM contact_send_log WHERE kind = ANY(%s) AND at > %s
     GROUP BY 1, 2 ORDER BY 3 DESC, 2
"""
_LOOKED_AFTER = (
    ("analytics.view_alert", "admin:analytics_alert_changelist"),
    ("workflows.view_deadletter", "admin:workflows_deadletter_changelist"),
)
_JOURNEYS = "SELECT id, slug, name, status FROM workflows WHERE status IN ('live', 'paused') ORDER BY name, slug"


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What Unfold calls for the start page: adds `start`, and sample journeys where there is nothing else to show."""
    start = read(now=clock.now())
    may_begin = start.is_new and request.user.has_perm("workflows.add_workflow")
    samples = [(sample, miniature(sample.definition)) for sample in gallery.samples()] if may_begin else []
    return {**context, "start": start, "samples": samples, "page_of_problems": _page_of_problems(request)}


def _page_of_problems(request: HttpRequest) -> str:
    """Where somebody looks after what went wrong: the alerts, else the failed steps; empty: they may see neither."""
    for permission, page in _LOOKED_AFTER:
        if request.user.has_perm(permission):
            return reverse(page)
    return ""


def read(*, now: datetime) -> StartPage:
    """The page as of `now`; the books may be a few seconds older."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(_TOTALS, [midnight, midnight.date(), midnight.date(), midnight])
        contacts, events_today, entered_today, sent_today, opens, mqls = cursor.fetchone()
    outcomes = _outcomes(now)
    unbalanced = tuple(book for book in books.glance() if not book.balanced)
    waiting = queues.read(now=now)
    post, braked = tuple(trouble.glance(now=now)), tuple(brake.held())
    return StartPage(
        at=now,
        contacts=contacts,
        events_today=events_today,
        entered_today=entered_today,
        sent_today=sent_today,
        opens=opens,
        mqls=mqls,
        journeys=_journeys(),
        outcomes=outcomes,
        sent=sum(outcome.count for outcome in outcomes if outcome.state == "accepted"),
        skipped=sum(outcome.count for outcome in outcomes if outcome.state in SKIPPED),
        post=post,
        braked=braked,
        queues=waiting,
        problems=_problems(waiting, braked=len(braked), post=len(post), books=len(unbalanced)),
        balanced=not unbalanced,
        unbalanced=unbalanced,
    )


def _journeys() -> tuple[Journey, ...]:
    with connection.cursor() as cursor:
        cursor.execute(_JOURNEYS)
        rows = cursor.fetchall()
    known = figures([row[0] for row in rows])
    return tuple(
        Journey(workflow_id, slug, name, status, **(asdict(known[workflow_id]) if workflow_id in known else _NOBODY))
        for workflow_id, slug, name, status in rows
    )


def _problems(waiting: tuple[queues.Queue, ...], *, braked: int, post: int, books: int) -> tuple[Problem, ...]:
    found = (
        Problem(sum(queue.depth for queue in waiting if queue.name == FAILED), ("failed step", "failed steps")),
        Problem(braked, ("journey that the brake holds", "journeys that the brake holds")),
        Problem(post, ("trouble with sending", "troubles with sending")),
        Problem(sum(queue.late for queue in waiting if queue.name != FAILED), ("late queue", "late queues")),
        Problem(books, ("book that does not balance", "books that do not balance")),
    )
    return tuple(problem for problem in found if problem.count)


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
