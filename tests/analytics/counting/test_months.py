"""Counters of months and days: the same numbers as the counters, read in a fraction of their rows."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from analytics.counting import books, counters, overview, overview_rows, rebuild, reconcile, standing
from analytics.counting.counted import Delta
from analytics.models import Counter, CounterDay, CounterDelta, CounterMonth
from contacts import clock, transactions
from tests import journeys

FIRST, LAST = date(2025, 11, 12), date(2026, 3, 4)
METRICS = ["entered", "exited:timed_out", "exited:manually_removed", "accepted", "capped:frequency_cap", "left:next"]


def fold_all(limit: int = counters.FOLDED_AT_ONCE) -> None:
    while counters.fold(limit):
        pass


def happened(seed: int = 1, times: int = 200) -> None:
    """Things of two workflows on any day of some months, in no order."""
    order = random.Random(seed)
    for _ in range(times):
        day = FIRST + timedelta(days=order.randrange((LAST - FIRST).days + 1))
        delta = Delta(
            order.choice([7, 8]), order.choice([1, 2]), order.choice(["", "mail"]), order.choice(METRICS),
            order.randrange(1, 9), order.choice(["", "template:a", "variant:x:a"]),
        )  # fmt: skip
        waits = Delta(7, 1, "pause", "waiting", order.choice([1, 1, -1]))
        with transaction.atomic():
            counters.add([delta, waits], now=datetime.combine(day, time(12), tzinfo=UTC))


def rows(sql: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return sorted(cursor.fetchall())


def agree() -> None:
    """What was folded into months and days is the sum of what was folded into counters."""
    months = rows(
        "SELECT workflow_id, version_id, step, metric, facet, date_trunc('month', day)::date, sum(amount)::int"
        " FROM counters GROUP BY 1, 2, 3, 4, 5, 6"
    )
    assert rows("SELECT workflow_id, version_id, step, metric, facet, month, amount FROM counter_months") == months
    days = rows(
        "SELECT workflow_id, day, version_id, split_part(metric, ':', 1), sum(amount)::int FROM counters"
        " WHERE facet = '' AND metric <> 'waiting' AND (step = '' OR metric = 'accepted') GROUP BY 1, 2, 3, 4"
    )
    assert rows("SELECT workflow_id, day, version_id, metric, amount FROM counter_days") == days
    assert months and days


@pytest.mark.django_db(transaction=True)
def test_months_and_days_are_the_sums_of_the_counters_however_late_something_is_folded():
    happened()
    counters.fold(70)
    agree()
    happened(seed=2, times=30)  # of days whose months were folded long before
    fold_all(11)
    agree()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("version", [None, 2])
def test_what_is_read_of_any_days_is_the_sum_of_these_days(version):
    happened()
    counters.fold(150)  # the rest is not folded yet
    days = [None, FIRST, date(2025, 12, 1), date(2025, 12, 31), date(2026, 1, 15), date(2026, 2, 28), LAST]
    for since in days:
        for until in days:
            read = overview.read(7, version_id=version, since=since, until=until)

            def total(metric: str, since=since, until=until, **where) -> int:
                asked = {"workflow_id": 7, "metric__startswith": metric, "facet": "", **where}
                if version:
                    asked["version_id"] = version
                found = [*Counter.objects.filter(**asked), *CounterDelta.objects.filter(**asked)]
                return sum(row.amount for row in found if (since or FIRST) <= row.day <= (until or LAST))

            assert read.fates.entered == total("entered", step="") == sum(day.entered for day in read.days)
            assert sum(read.fates.exited.values()) == total("exited", step="") == sum(day.exited for day in read.days)
            assert read.post.accepted == total("accepted") == sum(day.sent for day in read.days)
            assert read.steps.get("mail", overview.Step()).post.accepted == total("accepted", step="mail")
            if version is None:
                waiting = [*Counter.objects.filter(metric="waiting"), *CounterDelta.objects.filter(metric="waiting")]
                assert read.waiting == sum(row.amount for row in waiting)


@given(st.none() | st.dates(), st.none() | st.dates())
def test_every_day_that_is_asked_for_is_in_a_whole_month_or_at_an_end(since, until):
    whole, head, tail = overview_rows.split(since, until)
    first, last = since or date.min, until or date.max
    looked_at = {day for edge in (first, last, *whole, *head, *tail) for day in around(edge)}
    for day in looked_at:
        pieces = [whole[0] <= day.replace(day=1) <= whole[1], head[0] <= day <= head[1], tail[0] <= day <= tail[1]]
        assert sum(pieces) == (first <= day <= last), day


def around(day: date) -> list[date]:
    near = (-32, -1, 0, 1, 32)
    return [date.fromordinal(n) for by in near if 1 <= (n := day.toordinal() + by) <= date.max.toordinal()]


@pytest.mark.django_db(transaction=True)
def test_years_are_read_without_a_look_at_their_days(split):
    fold_all()
    before = overview.read(split.pk), standing.read(split.pk), counters.totals(split.pk), counters.figures([split.pk])
    Counter.objects.all().delete()
    after = overview.read(split.pk), standing.read(split.pk), counters.totals(split.pk), counters.figures([split.pk])
    assert after == before and before[0].fates.entered == before[1].entered == 12


@pytest.mark.django_db(transaction=True)
def test_a_wrong_sum_is_named_alone_and_put_right(split):
    fold_all()
    today, version = clock.now().astimezone(UTC).date(), split.live_version_id
    CounterMonth.objects.filter(step="split", facet="", metric="entered").update(amount=99)
    CounterMonth.objects.filter(step="pause", metric="waiting").delete()
    CounterDay.objects.filter(metric="entered").update(amount=7)
    assert transactions.run(reconcile.check_slice)
    named = {each.place: (each.counted, each.facts) for each in reconcile.differences()}
    assert named == {
        f"counter journey split entered of the month of {today.replace(day=1)} in version {version}": (99, 12),
        f"counter journey pause waiting of the month of 1970-01-01 in version {version}": (0, 12),
        f"counter journey entered of {today} of all steps in version {version}": (7, 12),
    }
    with pytest.raises(SystemExit):
        call_command("rebuild_counters", check=True)
    call_command("rebuild_counters")
    call_command("rebuild_counters", check=True)
    read = overview.read(split.pk)
    assert (read.steps["split"].entered, read.waiting, read.days[-1].entered) == (12, 12, 12)


@pytest.mark.django_db(transaction=True)
def test_a_recount_makes_months_and_days_of_what_was_not_folded_and_drops_those_of_nothing(split):
    CounterMonth.objects.create(workflow_id=split.pk, version_id=1, step="gone", metric="entered", month=LAST, amount=3)
    CounterDay.objects.create(workflow_id=split.pk, version_id=1, metric="entered", day=LAST, amount=3)
    rebuild.replace()
    assert not CounterDelta.objects.exists() and not CounterMonth.objects.filter(step="gone").exists()
    assert not CounterDay.objects.filter(day=LAST).exists()
    journeys.wake_all()
    journeys.run()
    fold_all()
    assert rebuild.compare().differences == () and books.unbalanced() == []
    read = overview.read(split.pk)
    assert read.fates == overview.Fates(entered=12, completed=12) and read.days[-1].completed == 12
