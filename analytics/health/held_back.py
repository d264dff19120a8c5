"""What stands still while everything is frozen, and would go on once it is released: how much of what, by workflow,
with a few examples. Counts and ids, never who it is about. And letting go of what is too old to be sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from django.db import connection

from contacts import audit, authority, freezing, transactions
from delivery import frozen
from workflows.errands import webhook_calls

COUNTED = 100_000  # of each kind; the oldest
EXAMPLES = 3  # of each kind and workflow

# Every kind in its index, no further than COUNTED: (workflow or null, how many, the oldest, examples).
_KINDS = {
    "messages": """
        SELECT m.workflow_id, m.public_id::text AS example, m.created_at AS at
          FROM outbox o JOIN messages m ON m.id = o.message_id WHERE o.state = 'queued' LIMIT %(most)s
    """,
    "in_doubt": """
        SELECT m.workflow_id, m.public_id::text AS example, m.created_at AS at
          FROM outbox o JOIN messages m ON m.id = o.message_id WHERE o.state <> 'queued' LIMIT %(most)s
    """,
    "calls": """
        SELECT workflow_id, public_id::text AS example, due_at AS at
          FROM webhook_calls WHERE state IN ('queued', 'calling') LIMIT %(most)s
    """,
    "people": """
        SELECT e.workflow_id, e.id::text AS example, e.wake_at AS at
          FROM (VALUES ('urgent'), ('bulk')) AS l(lane) CROSS JOIN LATERAL (
               SELECT id, workflow_id, wake_at FROM workflow_enrolments
                WHERE lane = l.lane AND state IN ('active', 'waiting') AND NOT held AND wake_at <= %(now)s
                ORDER BY wake_at LIMIT %(most)s) AS e
    """,
    "events": "SELECT NULL::bigint AS workflow_id, event_id::text AS example, recorded_at AS at FROM pending_events"
    " LIMIT %(most)s",
    "notices": "SELECT NULL::bigint AS workflow_id, public_id::text AS example, created_at AS at FROM staff_notices"
    " WHERE state = 'queued' LIMIT %(most)s",
    "posts": "SELECT NULL::bigint AS workflow_id, public_id::text AS example, created_at AS at FROM webhook_deliveries"
    " WHERE state IN ('queued', 'calling') LIMIT %(most)s",
}
_READ = " UNION ALL ".join(
    f"(SELECT '{kind}', workflow_id, count(*), min(at), (array_agg(example ORDER BY at))[:{EXAMPLES}]"
    f" FROM ({found}) AS found GROUP BY workflow_id)"
    for kind, found in _KINDS.items()
)
WORDS = {
    "messages": "messages to be sent",
    "in_doubt": "messages that may have been sent (never again by themselves)",
    "calls": "calls of webhooks",
    "people": "people whose next step is due",
    "events": "events to be matched with triggers",
    "notices": "mails to those who work here",
    "posts": "deliveries to outgoing webhooks",
}
DROPPABLE = ("messages", "calls", "notices", "posts")


@dataclass(frozen=True)
class Held:
    """So many of a kind (a key of WORDS), the oldest first. `is_more`: they were counted no further."""

    kind: str
    count: int
    oldest: datetime
    examples: Sequence[str]

    @property
    def words(self) -> str:
        return WORDS[self.kind]

    @property
    def is_more(self) -> bool:
        return self.count >= COUNTED


@dataclass(frozen=True)
class Of:
    """What one workflow holds back; `slug` empty: what belongs to none."""

    slug: str
    name: str
    held: Sequence[Held] = field(default_factory=tuple)


def read(*, now: datetime, workflow_id: int | None = None) -> list[Of]:
    """By workflow, by name; what belongs to none comes last. Two statements."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, {"now": now, "most": COUNTED})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.execute(
            "SELECT id, slug, name FROM workflows WHERE id = ANY(%s)", [sorted({row[1] for row in rows if row[1]})]
        )
        named = {found: (slug, name) for found, slug, name in cursor.fetchall()}
    by_workflow: dict[int | None, list[Held]] = {}
    for kind, workflow, count, oldest, examples in rows:
        if workflow_id is None or workflow == workflow_id:
            by_workflow.setdefault(workflow if workflow in named else None, []).append(
                Held(kind, count, oldest, tuple(examples))
            )
    order = list(WORDS)
    found = []
    for workflow, held in by_workflow.items():
        slug, name = named[workflow] if workflow else ("", "")
        found.append(Of(slug, name, tuple(sorted(held, key=lambda each: order.index(each.kind)))))
    return sorted(found, key=lambda of: (not of.slug, of.name))


def droppable(*, before: datetime) -> dict[str, int]:
    """How many of each of DROPPABLE were queued before this instant. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (SELECT count(*) FROM outbox o JOIN messages m ON m.id = o.message_id
                     WHERE o.state = 'queued' AND m.created_at < %(before)s),
                   (SELECT count(*) FROM webhook_calls c LEFT JOIN workflow_enrolments e
                        ON e.id = c.enrolment_id AND e.waiting_since >= %(before)s
                     WHERE c.state IN ('queued', 'calling') AND e.id IS NULL),
                   (SELECT count(*) FROM staff_notices WHERE state = 'queued' AND created_at < %(before)s),
                   (SELECT count(*) FROM webhook_deliveries
                     WHERE state IN ('queued', 'calling') AND created_at < %(before)s)
            """,
            {"before": before},
        )
        return dict(zip(DROPPABLE, cursor.fetchone(), strict=True))


def drop(*, before: datetime, told: Callable[[int], None] = lambda count: None) -> dict[str, int]:
    """Close what was queued before this instant, as `restored`: batch by batch, each in a transaction of its own, while
    everything is frozen; whoever is stopped in between begins again. Returns how many of each. `told` hears how many so
    far. Raises NotAllowed, NotFrozen."""
    authority.require(freezing.FREEZE)
    ways: dict[str, Callable[[datetime], int]] = {
        "messages": lambda now: frozen.drop_messages(before=before, now=now),
        "calls": lambda now: webhook_calls.drop_batch(before=before, reason=frozen.DROPPED, now=now),
        "notices": lambda now: frozen.drop_notices(before=before, now=now),
        "posts": lambda now: frozen.drop_posts(before=before, now=now),
    }
    done = dict.fromkeys(ways, 0)
    for kind, way in ways.items():
        while batch := transactions.run(partial(_drop_batch, kind, way)):
            done[kind] += batch
            told(sum(done.values()))
    return done


class NotFrozen(Exception):
    """Only what stands still can be let go of: else it would be going out at this moment."""


def _drop_batch(kind: str, way: Callable[[datetime], int], now: datetime) -> int:
    if not freezing.is_frozen():
        raise NotFrozen("nothing is dropped unless everything is frozen")
    dropped = way(now)
    if dropped:
        audit.note(f"{kind}.dropped", of=("installation", "all"), after={"count": dropped, "reason": frozen.DROPPED})
    return dropped


def boundary(standing: Sequence[freezing.Standing]) -> datetime | None:
    """When everything began to stand still; None: it does not."""
    return min((each.began_at for each in standing if each.workflow_id is None), default=None)
