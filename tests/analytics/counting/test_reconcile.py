"""Continuous reconciliation: a slice at a time, seldom enough, and it names what is wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction

from analytics.counting import books, counters, rebuild, reconcile
from analytics.models import CounterCheck, CounterDelta
from contacts import clock, redis_index, transactions
from tests import journeys
from tests.analytics.counting.conftest import document
from workflows import engine, intake
from workflows.models import Workflow

pytestmark = pytest.mark.django_db(transaction=True)


def check() -> bool:
    return transactions.run(reconcile.check_slice)


def together(*deeds: Callable[[], None]) -> None:
    """Each in a thread of its own; raises what one of them raised."""
    failures: list[Exception] = []

    def run(deed: Callable[[], None]) -> None:
        try:
            deed()
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[deed]) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in failures:
        raise failure


def later(**by) -> None:
    for each in CounterCheck.objects.all():
        CounterCheck.objects.filter(pk=each.pk).update(checked_at=each.checked_at - timedelta(**by))


def test_every_workflow_is_checked_in_its_turn_and_not_again_at_once(split):
    assert check()
    assert set(CounterCheck.objects.values_list("workflow_id", "wrong")) == {(0, 0), (split.pk, 0)}
    assert not check()
    later(minutes=2)
    assert check()
    assert reconcile.differences() == []


def test_large_workflows_are_checked_alone(split, monkeypatch):
    monkeypatch.setattr(reconcile, "TOGETHER", 13)
    journeys.publish({**document(), "slug": "other"})
    journeys.track(journeys.contact("late@example.com").pk, "signed_up")
    journeys.run()
    while counters.fold():
        pass
    assert check() and set(CounterCheck.objects.values_list("workflow_id", flat=True)) == {0, split.pk}
    CounterCheck.objects.update(took_ms=0)
    assert check() and CounterCheck.objects.count() == Workflow.objects.count() + 1 == 3


def test_a_slow_check_is_followed_by_a_long_pause(split):
    assert check()
    CounterCheck.objects.update(took_ms=60_000)
    later(minutes=10)
    assert not reconcile.is_due(now=clock.now()) and not check()
    later(minutes=41)
    assert reconcile.is_due(now=clock.now()) and check()


def test_a_lost_delta_is_named_until_it_is_mended(split):
    today, version = clock.now().date().isoformat(), split.live_version_id
    CounterDelta.objects.filter(facet="template:tour", metric="queued").delete()
    lost = CounterDelta.objects.filter(facet="", step="split", metric="left:story")
    stories = sum(lost.values_list("amount", flat=True))
    lost.delete()
    assert check()
    found = {each.place: (each.workflow, each.counted, each.facts) for each in reconcile.differences()}
    assert found == {
        f"counter journey tour template:tour queued of {today} in version {version}": ("journey", 0, stories),
        f"counter journey split left:story of {today} in version {version}": ("journey", 0, stories),
    }
    assert {book.name for book in books.unbalanced()} == set(found)
    rebuild.replace()
    assert reconcile.differences() == [] and books.unbalanced() == []
    assert check() and reconcile.differences() == []


def test_a_lost_row_unbalances_the_book_of_its_workflow(split):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM outbox WHERE message_id = (SELECT max(message_id) FROM outbox)")
        cursor.execute("DELETE FROM workflow_enrolments WHERE id = (SELECT max(id) FROM workflow_enrolments)")
    assert check()
    places = {each.place for each in reconcile.differences()}
    assert {"journey journey", "post journey"} <= places


def test_checks_go_on_beside_work_and_find_nothing(split):
    """Workers race, Redis is emptied, counters are folded and checked meanwhile: every check finds both sides equal."""
    people = [journeys.contact(f"late{n}@example.com").pk for n in range(60)]
    found = []

    def work() -> None:
        for _ in range(40):
            intake.match_batch(lane="urgent", limit=7)
            engine.advance_batch(lane="urgent", limit=5)

    def look() -> None:
        for n in range(12):
            found.extend(rebuild.compare([split.pk, 0]).differences)
            counters.fold(20)
            if n % 4 == 0:
                redis_index.connection().flushdb()

    journeys.track(people, "signed_up")
    together(work, work, look)
    assert found == []
    journeys.wake_all()
    journeys.run()
    assert rebuild.compare().differences == () and all(book.balanced for book in books.balance())


def test_of_two_who_would_check_one_does(split):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", reconcile.LOCK)
        done: list[bool] = []
        together(lambda: done.append(check()))
    assert done == [False]
