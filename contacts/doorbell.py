"""Doorbells: a Celery message says that a lane has work, and carries nothing else. It may be lost, doubled or late; the
work is rows, and a sweeper rings again every few seconds."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache, partial

import redis
from amqp.exceptions import AMQPError
from celery import current_app
from django.db import transaction
from kombu import Connection, pools
from kombu.exceptions import KombuError

from contacts import outside, redis_index

log = logging.getLogger(__name__)

SLICE_SECONDS = 2.0
PENDING_MS = 2000  # a bell that nobody answered for so long was lost: ring again
RING_SECONDS = 0.4  # the broker may take so long: whoever rings has a request to answer
ETA_SECONDS = 60.0  # Celery keeps a bell for so long at most; later ones are the timer dispatcher's
ETA_GRACE_MS = 5000
SILENCE_SECONDS = 1.0  # after a failure nobody tries for so long, so a dead broker does not slow every request
FAILURES = (redis.RedisError, KombuError, AMQPError, OSError)  # away, too slow, or RabbitMQ refuses
_silence = {"until": 0.0}
_first: list[Callable[[], object]] = []
_booked: dict[tuple[str, str, int], None] = {}  # bells that this process knows to be on their way


def ring(task: str, lane: str) -> None:
    """Ring `task` on the queue `lane`, unless a bell is already on its way there. Never raises."""
    if outside.is_closed():
        outside.note_bell(task, lane)
        return
    if time.monotonic() < _silence["until"]:
        return
    try:
        if redis_index.connection().set(_pending(task, lane), 1, nx=True, px=PENDING_MS):
            _send(task, lane, queue=lane)
    except FAILURES as error:
        _fall_silent(task, lane, error)


def ring_at(task: str, lane: str, instants: Iterable[float]) -> None:
    """Have Celery ring `task` when these instants (Unix seconds) have come, those of the next minute; the others are
    not for Celery to keep. One bell for each second, at its end, on a queue of its own: a broker may hand out nothing
    else while a worker holds a bell that is not due. Never raises.

    The instants are compared with this machine's clock, as Celery does: a bell too early wakes nobody."""
    now = time.time()
    seconds = {math.ceil(at) for at in instants if now < at <= now + ETA_SECONDS}
    if not seconds or outside.is_closed() or time.monotonic() < _silence["until"]:
        return
    try:
        for second in sorted(seconds):
            if (task, lane, second) not in _booked:
                _book(task, lane, second, now)
    except FAILURES as error:
        _fall_silent(task, lane, error)


def _book(task: str, lane: str, second: int, now: float) -> None:
    key = redis_index.key(f"bell:{task}:{lane}:{second}")
    if redis_index.connection().set(key, 1, nx=True, px=math.ceil(1000 * (second - now)) + ETA_GRACE_MS):
        _send(task, lane, queue=eta_queue(lane), eta=datetime.fromtimestamp(second, UTC))
    for past in [booked for booked in _booked if booked[2] < now]:
        del _booked[past]
    _booked[task, lane, second] = None


def eta_queue(lane: str) -> str:
    """Where the bells of a lane wait that ring later."""
    return f"{lane}_eta"


def _send(task: str, lane: str, *, queue: str, eta: datetime | None = None) -> None:
    with pools.producers[_broker()].acquire(block=True, timeout=RING_SECONDS) as producer:
        current_app.send_task(
            task,
            kwargs={"lane": lane},
            queue=queue,
            eta=eta,
            producer=producer,
            retry=False,
            confirm_timeout=RING_SECONDS,  # of RabbitMQ
        )


def _fall_silent(task: str, lane: str, error: Exception) -> None:
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


def look_first(look: Callable[[], object]) -> None:
    """Each process of a worker calls this before it works for the first time, and again until it does not raise."""
    _first.append(look)


def work_off(task: str, lane: str, work: Callable[[], bool]) -> None:
    """What a task does: answer, do one batch after another until `work` finds none or the slice is over, and ring again
    if there may be more. Slices are short, because the tasks of a lane take turns on its worker."""
    if outside.is_closed():
        outside.work_off(work)
        return
    for look in _first:
        look()
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
