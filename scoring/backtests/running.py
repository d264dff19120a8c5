"""Back-tests worked off in pages of contacts: each page and how far it came are one transaction, so whoever is killed
leaves nothing doubled and nobody out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from django.db import DataError, OperationalError, ProgrammingError, connection

from contacts.transactions import sqlstate
from scoring.backtests import figures
from scoring.backtests.asking import OPEN
from scoring.backtests.conversions import parse_conversion
from scoring.backtests.judges import Judges, thaw
from scoring.backtests.judging import WEIGHT, Case, Trial, Verdict, cases, judge
from scoring.models import Backtest

PAGE = 1000
FORGOTTEN_AFTER = timedelta(days=90)  # who crossed; the figures are kept
AT_ONCE = 5_000
TOOK_TOO_LONG = "57014"


class Stuck(Exception):
    """A back-test that cannot go on; the message says why, for people."""

    def __init__(self, backtest_id: int, message: str) -> None:
        super().__init__(message)
        self.backtest_id = backtest_id


def work_batch(*, now: datetime, limit: int = PAGE) -> bool:
    """Judge the next contacts of the oldest open back-test that nobody else works on, inside the caller's transaction;
    whether there was any. The number of statements does not depend on the number of contacts. Raises Stuck."""
    assert connection.in_atomic_block, "work_batch needs the caller's transaction"
    backtest = Backtest.objects.select_for_update(skip_locked=True).filter(state__in=OPEN).order_by("id").first()
    if backtest is None:
        return False
    try:
        _work(backtest, now=now, limit=limit)
    except (DataError, ProgrammingError, TypeError, ValueError) as error:
        raise Stuck(backtest.pk, "These rules cannot be tried on history.") from error
    except OperationalError as error:
        if sqlstate(error) != TOOK_TOO_LONG:
            raise
        raise Stuck(backtest.pk, "The database took too long over one page of contacts.") from error
    return True


def _work(backtest: Backtest, *, now: datetime, limit: int) -> None:
    if backtest.state == "queued" and not backtest.contacts_total:
        backtest.contacts_total = _living()
    backtest.state = "running"
    trial = trial_of(backtest)
    found, ids = cases(trial, after=backtest.checked_up_to, limit=limit)
    if ids:
        taken = _as_many_as_fit(found)
        if len(taken) < len(found):
            ids = [contact_id for contact_id in ids if contact_id < found[len(taken)].contact_id]
        verdicts = judge(trial, taken)
        _store(backtest.pk, verdicts)
        backtest.checked_up_to = ids[-1]
        backtest.contacts_done += len(ids)
        backtest.contacts_total = max(backtest.contacts_total, backtest.contacts_done)  # who came meanwhile
        backtest.contacts_looked_at += len(taken)
        backtest.contacts_cut += sum(each.cut for each in verdicts)
    else:
        backtest.result = asdict(figures.of(backtest))
        backtest.contacts_total = backtest.contacts_done
        backtest.state, backtest.finished_at = "finished", now
    backtest.save()


def trial_of(backtest: Backtest) -> Trial:
    frozen = backtest.judges
    active = thaw(frozen["active"]) if frozen["active"] else None
    return Trial(
        judges=Judges(tried=thaw(frozen["tried"]), threshold=backtest.threshold, active=active),
        conversion=parse_conversion(backtest.conversion),
        since=backtest.since,
        until=backtest.until,
    )


def put_aside(stuck: Stuck, *, now: datetime) -> None:
    """It stands aside for the others, and says why. What it has stays, so it can go on from there."""
    Backtest.objects.filter(pk=stuck.backtest_id, state__in=OPEN).update(
        state="failed", problem=str(stuck), finished_at=now
    )


def waiting() -> bool:
    return Backtest.objects.filter(state__in=OPEN).exists()


def forget_batch(*, now: datetime) -> bool:
    """Delete who crossed from old back-tests, some at a time; whether there were any."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM scoring_backtest_contacts WHERE id IN (
                   SELECT c.id FROM scoring_backtests b JOIN scoring_backtest_contacts c ON c.backtest_id = b.id
                    WHERE b.finished_at < %s LIMIT %s)
            """,
            [now - FORGOTTEN_AFTER, AT_ONCE],
        )
        return cursor.rowcount > 0


def _as_many_as_fit(found: Sequence[Case]) -> list[Case]:
    """The first ones, at least one, so that a statement never goes through much more than WEIGHT events."""
    taken: list[Case] = []
    weight = 0
    for case in found:
        weight += case.weight
        if taken and weight > WEIGHT:
            break
        taken.append(case)
    return taken


def _living() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM contacts WHERE merged_into_id IS NULL AND erased_at IS NULL")
        return cursor.fetchone()[0]


def _store(backtest_id: int, verdicts: Sequence[Verdict]) -> None:
    """Everybody who had points, crossed or converted. Whoever was erased or merged while they were judged is left out;
    whoever is being erased waits for us and then finds the row. Two statements."""
    kept = [
        each for each in verdicts if each.best > 0 or each.crossed_at or each.before or each.converted_at is not None
    ]
    if not kept:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM contacts WHERE id = ANY(%s) AND merged_into_id IS NULL AND erased_at IS NULL "
            "ORDER BY id FOR SHARE",
            [[each.contact_id for each in kept]],
        )
        living = {contact_id for (contact_id,) in cursor.fetchall()}
        kept = [each for each in kept if each.contact_id in living]
        cursor.execute(
            """
            INSERT INTO scoring_backtest_contacts
                   (backtest_id, contact_id, crossed_at, crossed_at_before, converted_at, best)
            SELECT %s, x.* FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[],
                                       %s::float8[]) AS x
            """,
            [
                backtest_id,
                [each.contact_id for each in kept],
                [each.crossed_at for each in kept],
                [each.before for each in kept],
                [each.converted_at for each in kept],
                [each.best for each in kept],
            ],
        )
