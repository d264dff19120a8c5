"""Waits as Celery tasks with an `eta`, as its documentation shows: the broker and the worker hold them in memory."""

from __future__ import annotations

import os
import time

import redis
from celery import Celery

LATE = "eta:late"  # a list of seconds
app = Celery("eta", broker=os.environ.get("ETA_BROKER", ""))
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    worker_hijack_root_logger=False,
    broker_transport_options={"visibility_timeout": 86_400},
)
_redis = redis.Redis.from_url(os.environ.get("ETA_BROKER", "redis://"))


@app.task
def wake(due: float) -> None:
    _redis.rpush(LATE, time.time() - due)
