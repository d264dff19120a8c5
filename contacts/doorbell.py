"""Doorbells: a Celery message says that a lane has work, and carries nothing else. It may be lost, doubled or late; the
work is rows, and a sweeper rings again every few seconds."""

from __future__ import annotations

import logging
import time
from functools import partial

import redis
from celery import current_app
from django.db import transaction

from contacts import redis_index

log = logging.getLogger(__name__)

PENDING_MS = 2000  # a bell that nobody answered for so long was lost: ring again
_silent_until = 0.0  # after a failure nobody tries for a second, so a dead broker does not slow every request


def ring(task: str, lane: str) -> None:
    """Ring `task` on the queue `lane`, unless a bell is already on its way there. Never raises."""
    global _silent_until
    if time.monotonic() < _silent_until:
        return
    try:
        if redis_index.connection().set(_pending(task, lane), 1, nx=True, px=PENDING_MS):
            current_app.send_task(task, kwargs={"lane": lane}, queue=lane, retry=False)
    except (redis.RedisError, OSError, current_app.connection_for_write().recoverable_connection_errors) as error:
        _silent_until = time.monotonic() + 1.0
        log.warning("doorbell %s on %s not rung: %s", task, lane, type(error).__name__)


def answer(task: str, lane: str) -> None:
    """The first thing that a task does, before it looks for work: whoever rings from now on rings anew."""
    try:
        redis_index.connection().delete(_pending(task, lane))
    except redis.RedisError as error:
        log.warning("doorbell %s on %s not answered: %s", task, lane, type(error).__name__)


def _pending(task: str, lane: str) -> str:
    return redis_index.key(f"bell:{task}:{lane}")


def ring_on_commit(task: str, lane: str) -> None:
    """Commit first, then tell."""
    transaction.on_commit(partial(ring, task, lane))
