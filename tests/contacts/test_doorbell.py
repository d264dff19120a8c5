"""Doorbells coalesce while one is under way, are never in the way, and a task rings again for what it leaves."""

import pytest
import redis

from contacts import doorbell, redis_index

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
