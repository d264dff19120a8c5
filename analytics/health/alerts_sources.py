"""What may be wrong with the work: queues, books, journeys, the post office, and what the doctor looks for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import connection
from django.urls import reverse

from analytics.counting import books
from analytics.health import alerts, alerts_machines, doctor, queues
from analytics.health.alerts import CRITICAL, WARNING, Finding, Source
from contacts import freezing
from delivery import providers, trouble
from workflows.entry import brake
from workflows.errands import call_turns
from workflows.models import Workflow

ELSEWHERE = frozenset({"failed"})  # queues that another source tells of
URGENT = frozenset({"urgent", "webhooks"})  # lanes in which somebody waits for every second
MANY_LETTERS = 100
NAMED = 3
# What the doctor looks for and nobody else here does: quick looks, and those that read whole tables.
QUICK = frozenset({"partitions", "leases", "enrolments", "awaited events"})
WHOLE = frozenset({"tallies of the post", "lifecycle stages"})


def declare() -> None:
    """Register the observatory's own sources. Called once, when the app is ready."""
    for source in (
        Source("queues", late_queues, opens_after=timedelta(seconds=45)),
        # what is folded in between two looks is in both
        Source("books", unbalanced, every=timedelta(minutes=1), opens_after=timedelta(minutes=2)),
        Source("failures", failures),
        Source("brake", brakes, opens_after=timedelta(0), closes_after=timedelta(minutes=1)),
        Source("frozen", freezes, opens_after=timedelta(0), closes_after=timedelta(0)),
        Source("calls", slow_calls, every=timedelta(minutes=1), opens_after=timedelta(0)),
        Source("post", post, opens_after=timedelta(seconds=45)),
        Source("doctor", quick_findings, every=timedelta(minutes=2), opens_after=timedelta(minutes=1)),
        Source("projections", whole_findings, every=timedelta(hours=1), opens_after=timedelta(0)),
    ):
        alerts.register(source)
    alerts_machines.declare()


def late_queues(now: datetime) -> Iterator[Finding]:
    for queue in queues.read(now=now):
        if queue.late and queue.name not in ELSEWHERE:
            yield Finding(
                f"{queue.lane}:{queue.name}",
                CRITICAL if queue.lane in URGENT else WARNING,
                f"The queue {queue.name.replace('_', ' ')} is late in the lane {queue.lane}",
                f"{queue.depth:,} wait, the oldest for {queue.age:,.0f} s.",
                f"{reverse('admin:index')}#queues-title",
            )


def unbalanced(now: datetime) -> Iterator[Finding]:
    """Books and counters, as far as they are known without counting again: that goes on all the time (`reconcile`)."""
    for book in books.unbalanced():
        said = f"{book.left:,} on one side, {book.right:,} on the other."
        yield Finding(book.name, CRITICAL, f"The book {book.name} does not balance", said, reverse("admin:index"))


def failures(now: datetime) -> Iterator[Finding]:
    """Failed steps that nobody decided on, by workflow."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT w.slug, count(*), count(DISTINCT d.step), min(d.failed_at)
              FROM dead_letters d JOIN workflows w ON w.id = d.workflow_id
             WHERE d.state = 'open' GROUP BY 1 ORDER BY 2 DESC, 1
            """
        )
        for slug, count, steps, oldest in cursor.fetchall():
            hours = (now - oldest).total_seconds() / 3600
            yield Finding(
                slug,
                CRITICAL if count >= MANY_LETTERS else WARNING,
                f"Steps of {slug} failed",
                f"{count:,} people stand still at {steps} of its steps until somebody decides, the oldest for"
                f" {hours:.1f} h.",
                reverse("admin:workflows_deadletter_changelist"),
            )


def brakes(now: datetime) -> Iterator[Finding]:
    for held in brake.held():
        yield Finding(
            held.slug,
            CRITICAL,
            f"{held.slug} is braked",
            f"{held.rate:,.0f} entered within an hour, {held.usual:,.0f} at most before; {held.waiting:,} wait.",
            reverse("admin:workflows_workflow_change", args=[held.workflow_id]),
        )


def freezes(now: datetime) -> Iterator[Finding]:
    """Not critical: every page says it already, and people decided it, or are to."""
    page = reverse("admin:contacts_freeze_changelist")
    standing = freezing.standing()
    slugs = dict(Workflow.objects.filter(pk__in=[each.workflow_id for each in standing]).values_list("pk", "slug"))
    for each in standing:
        slug = slugs.get(each.workflow_id or 0, "")
        what = f"The journey {slug}" if slug else "Everything"
        yield Finding(slug or f"all:{each.kind}", WARNING, f"{what} is frozen", f"{each.reason}.", page)


def slow_calls(now: datetime) -> Iterator[Finding]:
    """Journeys that want to call the servers of others faster than they may."""
    for each in call_turns.lasting(now=now):
        minutes = (each.until - now).total_seconds() / 60
        yield Finding(
            each.slug,
            WARNING,
            f"{each.slug} wants to call other servers faster than it may",
            f"Waiting for their turn: {each.calls:,}, the last for {minutes:,.0f} min.",
            reverse("admin:workflows_workflow_change", args=[each.workflow_id]),
        )


def post(now: datetime) -> Iterator[Finding]:
    """Stopped and resting providers, braked domains, doubts, reports on messages that are not here, webhooks that we
    disabled."""
    for each in trouble.look(now=now):
        if each.kind == "webhooks":
            continue  # a queue
        yield Finding(
            f"{each.kind}:{each.about}" if each.about else each.kind,
            CRITICAL if each.grave else WARNING,
            _TITLES[each.kind].format(about=providers.title(each.about) if each.kind == "provider" else each.about),
            f"{each.said}.",
            reverse(each.page, args=[each.about] if each.about else []),
        )


_TITLES = {
    "provider": "The provider {about} takes no mail",
    "brake": "Marketing from {about} is stopped",
    "in_doubt": "Messages are in doubt",
    "parked": "Reports on messages that are not here",
    "endpoint": "An outgoing webhook is disabled",
}


def quick_findings(now: datetime) -> Iterator[Finding]:
    yield from _examined(QUICK)


def whole_findings(now: datetime) -> Iterator[Finding]:
    yield from _examined(WHOLE)


def _examined(names: frozenset[str]) -> Iterator[Finding]:
    for finding in doctor.examine(only=names):
        if not finding.healthy:
            yield Finding(
                finding.name.replace(" ", "_"),
                WARNING,
                f"The doctor: {finding.name}",
                f"{_clipped(finding.said)}.",
            )


def _clipped(said: str) -> str:
    """The doctor names all that is wrong; the first ones are enough here."""
    parts = said.split("; ")
    rest = f"; and {len(parts) - NAMED} more" if len(parts) > NAMED else ""
    return "; ".join(parts[:NAMED]) + rest
