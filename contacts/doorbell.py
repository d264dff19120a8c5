"""Doorbells: a Celery message says that a lane has work, and carries nothing else. It may be lost, doubled or late; the
work is rows, and a sweeper rings again every few seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache, partial

import redis
from celery import current_app
from django.db import transaction
from kombu import Connection, pools
from kombu.exceptions import KombuError

from contacts import outside, redis_index

log = logging.getLogger(__name__)

SLICE_SECONDS = 2.0
PENDING_MS = 2000  # a bell that nobody answered for so long was lost: ring again
RING_SECONDS = 0.4  # the broker may take so long: whoever rings has a request to answer
SILENCE_SECONDS = 1.0  # after a failure nobody tries for so long, so a dead broker does not slow every request
_silence = {"until": 0.0}


def ring(task: str, lane: str) -> None:
    """Ring `task` on the queue `lane`, unless a bell is already on its way there. Never raises."""
    if outside.is_closed():
        outside.note_bell(task, lane)
        return
    if time.monotonic() < _silence["until"]:
        return
    try:
        if redis_index.connection().set(_pending(task, lane), 1, nx=True, px=PENDING_MS):
            with pools.producers[_broker()].acquire(block=True, timeout=RING_SECONDS) as producer:
                current_app.send_task(
                    task,
                    kwargs={"lane": lane},
                    queue=lane,
                    producer=producer,
                    retry=False,
                    confirm_timeout=RING_SECONDS,  # of RabbitMQ
                )
    except (redis.RedisError, KombuError, OSError) as error:
        _silence["until"] = time.monotonic() + SILENCE_SECONDS
        log.warning("doorbell %s on %s not rung: %s", task, lane, type(error).__name__)


@cache
def _broker() -> Connection:
    """Connections of the bells' own. Celery's would try for six seconds to reach a broker that refuses, and wait half a
    minute for one that has stopped."""
    timeouts = {"socket_timeout": RING_SECONDS, "socket_connect_timeout": RING_SECONDS}
    is_redis = current_app.connection_for_write().transport.driver_type == "redis"
    return current_app.connection_for_write(
        connect_timeout=RING_SECONDS,
        transport_options={"max_retries": 0, **(timeouts if is_redis else {"read_timeout": RING_SECONDS})},
    )


def answer(task: str, lane: str) -> None:
    """The first thing that a task does, before it looks for work: whoever rings from now on rings anew."""
    try:
        redis_index.connection().delete(_pending(task, lane))
    except redis.RedisError as error:
        log.warning("doorbell %s on %s not answered: %s", task, lane, type(error).__name__)


def work_off(task: str, lane: str, work: Callable[[], bool]) -> None:
    """What a task does: answer, do one batch after another until `work` finds none or the slice is over, and ring again
    if there may be more. Slices are short, because the tasks of a lane take turns on its worker."""
    if outside.is_closed():
        outside.work_off(work)
        return
    answer(task, lane)
    until = time.monotonic() + SLICE_SECONDS
    while work():
        if time.monotonic() >= until:
            ring(task, lane)
            return


def _pending(task: str, lane: str) -> str:
    return redis_index.key(f"bell:{task}:{lane}")


def ring_on_commit(task: str, lane: str) -> None:
    """Commit first, then tell."""
    transaction.on_commit(partial(ring, task, lane))
