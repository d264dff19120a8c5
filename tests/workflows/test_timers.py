"""Waits end on time: never early whatever Redis says, and not lost whatever Redis forgets."""

from datetime import timedelta
from io import StringIO

import pytest
import redis
from django.core.management import call_command
from django.db import connection, transaction

from contacts import clock, redis_index
from delivery import outbox
from delivery.requests import SendRequest
from scoring.models import ScoreCheck
from tests import journeys
from tests.journeys import definition, step
from workflows import engine, sweep, timers
from workflows.dispatcher import LONGEST_SLEEP, Dispatcher
from workflows.models import Enrolment

pytestmark = pytest.mark.django_db(transaction=True)

WAIT = {"pause": step("wait", mode="duration", **{"for": "PT1H"})}


@pytest.fixture
def rung(monkeypatch):
    """The bells that were rung, in order."""
    bells: list[tuple[str, str]] = []
    monkeypatch.setattr("contacts.doorbell.ring", lambda task, lane: bells.append((task, lane)))
    return bells


@pytest.fixture
def waiting():
    """Three contacts that wait for an hour."""
    journeys.publish(definition(WAIT))
    journeys.track(journeys.contacts(3), "signed_up")
    journeys.run()
    return list(Enrolment.objects.order_by("id"))


def index() -> dict[str, float]:
    return dict(redis_index.connection().zrange(redis_index.key("timers:urgent"), 0, -1, withscores=True))


def test_a_wait_is_noted_in_the_index_after_its_commit(waiting):
    assert index() == {str(row.pk): pytest.approx(row.wake_at.timestamp()) for row in waiting}


def test_the_dispatcher_rings_for_what_is_due_and_takes_it_from_the_index(waiting, rung):
    client = redis_index.connection()
    client.set(redis_index.key("timers:epoch"), 1)
    client.zadd(redis_index.key("timers:urgent"), {str(waiting[0].pk): 1.0})
    Dispatcher().run_once()
    assert ("workflows.advance", "urgent") in rung
    assert set(index()) == {str(row.pk) for row in waiting[1:]}
    assert not client.exists(redis_index.key("timers:urgent:claimed"))


def test_what_a_dispatcher_claimed_and_never_rang_for_is_claimed_again_when_its_lease_is_over(waiting):
    due = waiting[0].wake_at + timedelta(milliseconds=1)
    assert timers.claim_due(lane="urgent", now=due).claimed == 3  # and dies before it rings
    assert timers.claim_due(lane="urgent", now=due + timedelta(seconds=1)).claimed == 0
    again = timers.claim_due(lane="urgent", now=due + timers.LEASE)
    assert again.claimed == 3
    timers.release(again, lane="urgent")
    assert timers.claim_due(lane="urgent", now=due + 3 * timers.LEASE).claimed == 0


def test_a_release_takes_nothing_that_somebody_else_has_claimed(waiting):
    client = redis_index.connection()
    client.zadd(redis_index.key("timers:urgent"), {str(waiting[0].pk): 1.0})
    now = clock.now()
    first = timers.claim_due(lane="urgent", now=now)
    client.zadd(redis_index.key("timers:urgent"), {str(waiting[1].pk): 1.0})
    second = timers.claim_due(lane="urgent", now=now + timedelta(milliseconds=1))
    timers.release(first, lane="urgent")
    assert client.zrange(redis_index.key("timers:urgent:claimed"), 0, -1) == [str(waiting[1].pk)]
    assert (first.claimed, second.claimed) == (1, 1)


def test_a_wait_that_begins_anew_while_it_is_claimed_stays_in_the_index(waiting):
    """The bell was rung, the engine looked, and the step waits on: all before the dispatcher releases its claim."""
    due = timers.claim_due(lane="urgent", now=waiting[0].wake_at + timedelta(milliseconds=1))
    later = waiting[0].wake_at + timedelta(hours=1)
    timers.remember([(waiting[0].pk, later)], lane="urgent")
    timers.release(due, lane="urgent")
    assert index() == {str(waiting[0].pk): pytest.approx(later.timestamp())}


def test_several_dispatchers_share_what_is_due(waiting):
    due = waiting[0].wake_at + timedelta(milliseconds=1)
    claims = [timers.claim_due(lane="urgent", now=due).claimed for _ in range(3)]
    assert claims == [3, 0, 0]


def test_a_bell_too_early_wakes_nobody(waiting):
    assert not engine.advance_batch(lane="urgent")
    assert {row.state for row in Enrolment.objects.all()} == {"waiting"}


def test_an_emptied_index_is_rebuilt_from_the_rows_beside_the_ringing(waiting, rung):
    client = redis_index.connection()
    client.delete(redis_index.key("timers:urgent"), redis_index.key("timers:epoch"))
    dispatcher = Dispatcher()
    dispatcher.run_once()
    dispatcher.join()
    assert set(index()) == {str(row.pk) for row in waiting}
    assert timers.is_complete()


def test_only_one_dispatcher_rebuilds_the_index(waiting, rung, monkeypatch):
    redis_index.connection().set(redis_index.key("timers:rebuilder"), "another")
    monkeypatch.setattr(timers, "rebuild", lambda now: pytest.fail("two at once"))
    dispatcher = Dispatcher()
    dispatcher.run_once()
    dispatcher.join()
    assert not timers.is_complete()


def test_an_index_that_was_emptied_while_it_was_rebuilt_is_not_called_complete(waiting):
    client = redis_index.connection()

    def empty(count: int) -> None:
        client.delete(*client.scan_iter(match=redis_index.key("timers:*")))

    with pytest.raises(timers.RebuildStopped):
        timers.rebuild(now=clock.now(), tell=empty)
    assert not timers.is_complete()
    assert timers.rebuild(now=clock.now()) == 3
    assert timers.is_complete()


def test_the_command_rebuilds_what_the_engine_should_resume(waiting):
    """Who is held waits for a place or for the end of a pause, and is no dispatcher's."""
    Enrolment.objects.filter(pk=waiting[0].pk).update(held=True)
    client = redis_index.connection()
    client.delete(redis_index.key("timers:urgent"))
    told = StringIO()
    call_command("rebuild_timers", stdout=told)
    assert set(index()) == {str(row.pk) for row in waiting[1:]}
    assert told.getvalue().startswith("2 waits written in ")
    assert timers.is_complete()


def test_the_retry_of_a_failed_step_is_rebuilt_as_well(waiting):
    retry = {"state": "active", "attempts": 1, "waiting_since": None}
    Enrolment.objects.filter(pk=waiting[0].pk).update(**retry)
    redis_index.connection().delete(redis_index.key("timers:urgent"))
    assert timers.rebuild(now=clock.now()) == 3


def test_an_entry_whose_row_wakes_later_rings_once_and_wakes_nobody(waiting, rung):
    """Edit plans and new time zone data move wake times; an old entry does no harm, and does not ring for ever."""
    client = redis_index.connection()
    client.set(redis_index.key("timers:epoch"), 1)
    client.zadd(redis_index.key("timers:urgent"), {str(waiting[0].pk): 1.0, "999999": 1.0})
    dispatcher = Dispatcher()
    for _ in range(3):
        dispatcher.run_once()
    assert rung.count(("workflows.advance", "urgent")) == 1
    assert not engine.advance_batch(lane="urgent")


def test_a_wake_that_redis_forgot_is_found_by_the_sweep(waiting, rung):
    redis_index.connection().delete(redis_index.key("timers:urgent"))
    journeys.wake_all()
    assert ("workflows.advance", "urgent") in sweep.ring_where_work_waits(now=clock.now())


def test_without_redis_the_dispatcher_still_sweeps(waiting, rung, monkeypatch):
    def gone(*args, **kwargs):
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(timers, "is_complete", gone)
    journeys.wake_all()
    assert Dispatcher().run_once() == LONGEST_SLEEP
    assert ("workflows.advance", "urgent") in rung


def test_waiting_goes_on_without_redis(monkeypatch):
    def gone(*args, **kwargs):
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(redis.Redis, "zadd", gone)
    journeys.publish(definition(WAIT))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    assert journeys.enrolment(contact.pk).state == "waiting"


def test_the_sweep_is_silent_where_nothing_waits(rung):
    assert sweep.ring_where_work_waits(now=clock.now()) == []


def test_the_dispatcher_sleeps_until_the_next_wake_and_no_longer(waiting, rung):
    dispatcher = Dispatcher()
    dispatcher.run_once()  # its first round takes longer
    soon = clock.now() + timedelta(milliseconds=30)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE workflow_enrolments SET wake_at = %s WHERE id = %s", [soon, waiting[0].pk])
    timers.remember([(waiting[0].pk, soon)], lane="urgent")
    redis_index.connection().set(redis_index.key("timers:epoch"), 1)
    assert 0 <= dispatcher.run_once() <= 0.03


def test_the_dispatcher_rings_for_what_comes_due_on_the_floors_below(rung):
    """A message to try again, and a score that has decayed over its threshold: nobody else rings for them in time."""
    version = journeys.template("welcome")
    contact = journeys.contact()
    with transaction.atomic():
        request = SendRequest(contact.pk, "email", version, idempotency_key="k")
        outbox.enqueue([request], now=clock.now())
        ScoreCheck.objects.create(contact_id=contact.pk, check_at=clock.now())
    rung.clear()
    Dispatcher().run_once()
    assert ("delivery.deliver", "delivery_urgent") in rung
    assert ("scoring.check", "urgent") in rung
