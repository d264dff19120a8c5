"""Doorbells may be lost; whoever rings one never notices."""

import pytest
import redis
from celery import current_app
from kombu.exceptions import OperationalError

from contacts import doorbell, redis_index


@pytest.fixture(autouse=True)
def _nobody_is_silent(monkeypatch):
    monkeypatch.setattr(doorbell, "_silent_until", 0.0)


@pytest.fixture
def sent(monkeypatch, bells) -> list[str]:
    """The bells that reach the broker."""
    names: list[str] = []
    monkeypatch.setattr(current_app._get_current_object(), "send_task", lambda name, **options: names.append(name))
    return names


@pytest.fixture
def bells() -> None:
    """Asks to hear them."""


def test_bells_that_nobody_answered_yet_are_one_bell(sent):
    for _ in range(3):
        doorbell.ring("workflows.advance", "urgent")
    doorbell.ring("workflows.advance", "bulk")
    assert sent == ["workflows.advance", "workflows.advance"]


def test_whoever_rings_after_the_answer_rings_anew(sent):
    doorbell.ring("workflows.advance", "urgent")
    doorbell.answer("workflows.advance", "urgent")
    doorbell.ring("workflows.advance", "urgent")
    assert len(sent) == 2


def test_without_redis_a_bell_is_lost_and_the_work_goes_on(sent):
    nowhere = redis.Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.2)
    with pytest.MonkeyPatch.context() as away:
        away.setattr(redis_index, "connection", lambda: nowhere)
        doorbell.ring("workflows.advance", "urgent")
        doorbell.answer("workflows.advance", "urgent")
    assert sent == []


@pytest.mark.parametrize("error", [OperationalError("the broker is gone"), ConnectionResetError()])
def test_without_a_broker_a_bell_is_lost_and_nobody_tries_again_for_a_moment(monkeypatch, bells, error):
    tried: list[str] = []

    def fail(name: str, **options: object) -> None:
        tried.append(name)
        raise error

    monkeypatch.setattr(current_app._get_current_object(), "send_task", fail)
    doorbell.ring("workflows.advance", "urgent")
    doorbell.ring("workflows.intake", "urgent")
    assert tried == ["workflows.advance"]
