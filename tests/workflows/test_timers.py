"""Waits end on time: never early whatever Redis says, and not lost whatever Redis forgets."""

from datetime import timedelta

import pytest
import redis
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


def test_a_bell_too_early_wakes_nobody(waiting):
    assert not engine.advance_batch(lane="urgent")
    assert {row.state for row in Enrolment.objects.all()} == {"waiting"}


def test_an_emptied_index_is_rebuilt_from_the_rows(waiting, rung):
    client = redis_index.connection()
    client.delete(redis_index.key("timers:urgent"), redis_index.key("timers:epoch"))
    Dispatcher().run_once()
    assert set(index()) == {str(row.pk) for row in waiting}
    assert timers.is_complete()


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
    soon = clock.now() + timedelta(milliseconds=30)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE workflow_enrolments SET wake_at = %s WHERE id = %s", [soon, waiting[0].pk])
    timers.remember([(waiting[0].pk, soon)], lane="urgent")
    redis_index.connection().set(redis_index.key("timers:epoch"), 1)
    assert 0 <= Dispatcher().run_once() <= 0.03


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
