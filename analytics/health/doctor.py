"""The doctor: looks at everything that should hold while the house runs, and mends what can be mended."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from celery import current_app
from django.conf import settings
from django.db import connection, transaction

from analytics.counting import books, counters, rebuild
from analytics.health import queues
from contacts import clock, doorbell, freezing, partitions, redis_index, restored, seals
from delivery import in_doubt, recounting, trouble
from delivery import sweep as delivery_sweep
from scoring.crossings import checks
from scoring.lifecycle import current
from workflows import awaiting
from workflows import partitions as journal_partitions
from workflows import sweep as workflows_sweep
from workflows.entry import brake
from workflows.failures import stranded

MONTHS_AHEAD = 2
LEASE_GRACE = timedelta(seconds=60)
SEALS_FOLLOWED = 20_000  # the newest; `verify_audit` follows all of them
SEAL_GRACE = timedelta(minutes=10)


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    name: str
    healthy: bool
    said: str


@dataclass(frozen=True)
class Examination:
    """`look` may raise: that is a finding as well. `fine`: what is said of health, or who says it. `mend` is None where
    only people can help."""

    name: str
    look: Callable[[datetime], list[str]]
    fine: str | Callable[[], str]
    mend: Callable[[datetime], None] | None = None


def examine(*, fix: bool = False, only: Collection[str] | None = None) -> list[Finding]:
    """Look at everything, or at what `only` names, in an order in which the first trouble explains the later ones. With
    `fix`, mend what can be mended and look again."""
    findings = []
    for examination in EXAMINATIONS:
        if only is not None and examination.name not in only:
            continue
        troubles = _look(examination)
        mended = False
        if troubles and fix and examination.mend is not None and not _attempt(examination.mend):
            mended = not (troubles := _look(examination))
        said = "; ".join(troubles) or ("mended" if mended else _said(examination.fine))
        findings.append(Finding(examination.name, not troubles, said))
    return findings


def _said(fine: str | Callable[[], str]) -> str:
    return fine if isinstance(fine, str) else fine()


def _look(examination: Examination) -> list[str]:
    found: list[str] = []
    return _attempt(lambda now: found.extend(examination.look(now))) or found


def _attempt(deed: Callable[[datetime], None]) -> list[str]:
    """What went wrong; nothing if nothing did. An error's words may hold an address or a password: its kind is told."""
    try:
        deed(clock.now())
    except Exception as error:
        return [f"{type(error).__module__}.{type(error).__name__}"]
    return []


# -- services ----------------------------------------------------------------------------------------------------------


def _database(now: datetime) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return []


def _redis(now: datetime) -> list[str]:
    redis_index.connection().ping()
    return []


def _broker(now: datetime) -> list[str]:
    with current_app.connection_for_write() as link:
        link.ensure_connection(max_retries=1, timeout=2)
    return []


# -- partitions --------------------------------------------------------------------------------------------------------


def _partitions(now: datetime) -> list[str]:
    troubles = []
    with connection.cursor() as cursor:
        for year, month in partitions.months_from(now, MONTHS_AHEAD):
            name = f"contact_events_{year}_{month:02d}"
            cursor.execute("SELECT to_regclass(%s) IS NULL", [name])
            if cursor.fetchone()[0]:
                troubles.append(f"{name} is missing")
        for name in ("contact_events_unplanned", "workflow_journal_unplanned"):
            cursor.execute(f"SELECT EXISTS (SELECT FROM {name})")
            if cursor.fetchone()[0]:
                troubles.append(f"rows lie in {name}, which only catches what has no partition")
    return troubles


def _make_partitions(now: datetime) -> None:
    with transaction.atomic():
        partitions.make_ahead(now=now)
        journal_partitions.make_ahead()


# -- work --------------------------------------------------------------------------------------------------------------


def _freezes(now: datetime) -> list[str]:
    """A workflow that is frozen is its own affair."""
    return [
        f"everything stands still since {each.began_at:%Y-%m-%d %H:%M} UTC: {each.reason}"
        for each in freezing.standing()
        if each.workflow_id is None
    ]


def _not_frozen() -> str:
    if restored.identity().system:
        return "nothing stands still"
    return "nothing stands still; PostgreSQL does not tell its system identifier, so a copy is known by less"


def _leases(now: datetime) -> list[str]:
    """The sweep ends leases a few seconds after they are over; a minute is a sweep that does not run."""
    grace = LEASE_GRACE + timedelta(seconds=settings.ESP_TIMEOUT_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM outbox WHERE state = 'sending' AND lease_until < %s",
            [now - grace],
        )
        stuck = cursor.fetchone()[0]
    return [f"{stuck} messages are being sent by nobody"] if stuck else []


def _end_leases(now: datetime) -> None:
    while in_doubt.reap_batch():
        pass


def _queues(now: datetime) -> list[str]:
    return [
        f"{queue.depth} {queue.name.replace('_', ' ')} wait in {queue.lane}, the oldest for {queue.age:.0f} s"
        for queue in queues.read(now=now)
        if queue.late
    ]


def _ring(now: datetime) -> None:
    """Whoever should have been rung for is rung for again. Whether somebody answers is seen the next time."""
    workflows_sweep.ring_where_work_waits(now=now)
    delivery_sweep.ring_where_work_waits(now=now)
    for lane in checks.due_lanes(now=now):
        doorbell.ring(checks.BELL, lane)
    while counters.fold():
        pass


def _awaited(now: datetime) -> list[str]:
    return [f"{slug} waits for events that are not queued" for slug in awaiting.undeclared()]


def _declare(now: datetime) -> None:
    awaiting.rebuild()


def _stranded(now: datetime) -> list[str]:
    return stranded.look(now=now)


def _bring_on(now: datetime) -> None:
    stranded.mend(now=now)


def _braked(now: datetime) -> list[str]:
    return [
        f"{held.slug} is braked: {held.rate:.0f} entered within an hour, {held.usual:.0f} at most before;"
        f" {held.waiting} wait"
        for held in brake.held()
    ]


def _books(now: datetime) -> list[str]:
    return [f"{book.name}: {book.left} against {book.right}" for book in books.balance() if not book.balanced]


def _rebuild(now: datetime) -> None:
    rebuild.replace()


def _post(now: datetime) -> list[str]:
    return [each.said for each in trouble.look(now=now)]


def _tallies(now: datetime) -> list[str]:
    return [
        f"{wrong.day} {wrong.channel} {wrong.what}: counted {wrong.counted}, the facts say {wrong.facts}"
        for wrong in recounting.compare()
    ]


def _recount(now: datetime) -> None:
    recounting.mend()


def _stages(now: datetime) -> list[str]:
    wrong = current.compare()
    return [f"{wrong} contacts are said to be elsewhere than the log says"] if wrong else []


def _restage(now: datetime) -> None:
    with transaction.atomic():
        current.rebuild()


def _audit_log(now: datetime) -> list[str]:
    verdict = seals.verify(newest=SEALS_FOLLOWED)
    if verdict.trouble:
        return [verdict.trouble]
    if verdict.waiting_since is not None and verdict.waiting_since < now - SEAL_GRACE:
        return [f"{verdict.waiting} entries wait for their seal since {verdict.waiting_since:%Y-%m-%d %H:%M} UTC"]
    return []


EXAMINATIONS = (
    Examination("PostgreSQL", _database, "answers"),
    Examination("Redis", _redis, "answers"),
    Examination("broker", _broker, "answers"),
    Examination("partitions", _partitions, "made ahead", _make_partitions),
    Examination("freezes", _freezes, _not_frozen),
    Examination("leases", _leases, "none is stuck", _end_leases),
    Examination("enrolments", _stranded, "none is stranded", _bring_on),
    Examination("queues", _queues, "nobody waits for too long", _ring),
    Examination("awaited events", _awaited, "are queued", _declare),
    Examination("brake", _braked, "holds nobody"),
    Examination("books", _books, "balance", _rebuild),
    Examination("post office", _post, "nothing is the matter"),
    Examination("tallies of the post", _tallies, "are those of the facts", _recount),
    Examination("lifecycle stages", _stages, "are those of the log", _restage),
    Examination("audit log", _audit_log, "is as it was sealed"),
)
