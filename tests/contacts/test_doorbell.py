"""Doorbells coalesce while one is under way, are never in the way, and a task rings again for what it leaves."""

import time

import pytest
import redis
from amqp.exceptions import NotFound, PreconditionFailed

from config import lanes
from contacts import doorbell, redis_index
from workflows import timers

TASK, LANE = "workflows.advance", "urgent"


@pytest.fixture
def bells(monkeypatch):
    """The real doorbell, with what it publishes written down instead of sent."""
    published: list[tuple[str, str]] = []
    monkeypatch.setattr(doorbell.current_app, "send_task", lambda task, *, queue, **_: published.append((task, queue)))
    monkeypatch.setitem(doorbell._silence, "until", 0.0)
    return published


def test_one_bell_is_under_way_at_a_time_until_it_is_answered(bells):
    for _ in range(5):
        doorbell.ring(TASK, LANE)
    assert bells == [(TASK, LANE)]
    doorbell.answer(TASK, LANE)
    doorbell.ring(TASK, LANE)
    assert len(bells) == 2


def test_lanes_and_tasks_have_bells_of_their_own(bells):
    doorbell.ring(TASK, "urgent")
    doorbell.ring(TASK, "bulk")
    doorbell.ring("workflows.intake", "urgent")
    assert len(bells) == 3


def test_a_bell_that_nobody_answers_is_rung_anew_after_a_while(bells):
    doorbell.ring(TASK, LANE)
    remaining = redis_index.connection().pttl(redis_index.key(f"bell:{TASK}:{LANE}"))
    assert 0 < remaining <= doorbell.PENDING_MS


def test_without_redis_ringing_is_silent_and_does_not_try_again_at_once(bells, monkeypatch):
    tries = []

    def gone(*args, **kwargs):
        tries.append(1)
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(redis.Redis, "set", gone)
    doorbell.ring(TASK, LANE)
    doorbell.ring(TASK, LANE)
    assert bells == [] and len(tries) == 1


def test_a_task_works_until_nothing_is_left(bells):
    left = [True, True, False]
    doorbell.work_off(TASK, LANE, lambda: left.pop(0))
    assert left == [] and bells == []


def test_a_task_whose_slice_is_over_rings_again(bells, monkeypatch):
    monkeypatch.setattr(doorbell, "SLICE_SECONDS", 0.0)
    doorbell.work_off(TASK, LANE, lambda: True)
    assert bells == [(TASK, LANE)]


def test_work_that_fails_leaves_the_bell_answered(bells):
    def fail() -> bool:
        raise RuntimeError

    doorbell.ring(TASK, LANE)
    with pytest.raises(RuntimeError):
        doorbell.work_off(TASK, LANE, fail)
    doorbell.ring(TASK, LANE)
    assert len(bells) == 2


@pytest.fixture
def booked(bells, monkeypatch):
    """Bells that Celery is to ring later: (queue, Unix second)."""
    published: list[tuple[str, float]] = []
    monkeypatch.setattr(
        doorbell.current_app, "send_task", lambda task, *, queue, eta, **_: published.append((queue, eta.timestamp()))
    )
    monkeypatch.setattr(doorbell.time, "time", lambda: 1_000.25)
    monkeypatch.setitem(doorbell._silence, "until", 0.0)
    monkeypatch.setattr(doorbell, "_booked", {})
    return published


def test_one_later_bell_rings_at_the_end_of_each_second_on_a_queue_of_its_own(booked):
    doorbell.ring_at(TASK, LANE, [1_001.2, 1_001.7, 1_002.0, 1_030.5])
    assert booked == [("urgent_eta", 1_002.0), ("urgent_eta", 1_031.0)]


def test_celery_keeps_no_bell_for_longer_than_a_minute_and_none_that_is_due(booked):
    doorbell.ring_at(TASK, LANE, [999.0, 1_000.25, 1_060.25, 1_060.5, 90_000.0])
    assert booked == [("urgent_eta", 1_061.0)]


def test_later_bells_of_several_processes_are_one(booked, monkeypatch):
    doorbell.ring_at(TASK, LANE, [1_010.0])
    doorbell.ring_at(TASK, LANE, [1_010.0])
    monkeypatch.setattr(doorbell, "_booked", {})  # another process
    doorbell.ring_at(TASK, LANE, [1_010.0])
    assert booked == [("urgent_eta", 1_010.0)]
    doorbell.ring_at(TASK, "bulk", [1_010.0])
    assert booked[1:] == [("bulk_eta", 1_010.0)]


def test_what_a_process_remembers_of_later_bells_does_not_grow(booked, monkeypatch):
    for minute in range(5):
        monkeypatch.setattr(doorbell.time, "time", lambda minute=minute: 1_000.25 + 60 * minute)
        doorbell.ring_at(TASK, LANE, [1_000.25 + 60 * minute + second for second in range(1, 60)])
    assert len(doorbell._booked) <= 61


def test_without_redis_no_later_bell_is_booked_and_nobody_hears_of_it(booked, monkeypatch):
    def gone(*args, **kwargs):
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(redis.Redis, "set", gone)
    doorbell.ring_at(TASK, LANE, [1_010.0])
    assert booked == []


def test_the_worker_of_each_lane_in_which_waits_end_listens_to_its_later_bells():
    assert [lanes.queues_of(lane) for lane in timers.LANES] == [
        f"{lane},{doorbell.eta_queue(lane)}" for lane in timers.LANES
    ]
    assert lanes.queues_of("housekeeping") == "housekeeping"


@pytest.mark.parametrize("refusal", [NotFound, PreconditionFailed])
def test_what_rabbitmq_refuses_is_no_error_of_whoever_rings(bells, monkeypatch, refusal):
    """A queue that was declared in another way, an exchange that no worker has declared yet."""

    def refuse(*args, **options):
        raise refusal("no exchange 'celery_delayed_27'")

    monkeypatch.setattr(doorbell.current_app, "send_task", refuse)
    doorbell.ring(TASK, LANE)
    assert doorbell._silence["until"] > 0
    doorbell._silence["until"] = 0.0
    doorbell.ring_at(TASK, LANE, [time.time() + 5])
    assert doorbell._silence["until"] > 0
