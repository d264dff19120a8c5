"""Doorbells that ring too often: sent past the product's coalescing, as a broker that doubles messages would."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from celery import Celery
from kombu.exceptions import OperationalError

from tests.drills.rig.servers import Servers

PREFIX = "carillon:"  # REDIS_PREFIX: the product's queues are named under it


def broker(servers: Servers) -> Celery:
    """For sending tasks to the product's workers."""
    app = Celery(broker=servers.broker_url)
    if servers.broker == "redis":
        app.conf.broker_transport_options = {"global_keyprefix": PREFIX, "socket_timeout": 2}
    else:
        app.conf.update(task_create_missing_queue_type="quorum", task_create_missing_queue_exchange_type="topic")
    return app


class TooManyBells:
    """Rings each of (task, lane) `times` times, every `every` seconds, until stopped."""

    def __init__(self, servers: Servers, bells: Sequence[tuple[str, str]], *, times: int, every: float) -> None:
        self._app, self._bells, self._times, self._every = broker(servers), bells, times, every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bells", daemon=True)
        self.rung = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._every):
            for task, lane in list(self._bells) * self._times:
                self._ring(task, lane)

    def _ring(self, task: str, lane: str) -> None:
        try:
            self._app.send_task(task, kwargs={"lane": lane}, queue=lane, retry=False)
        except (OperationalError, OSError):
            return  # Redis is being killed
        self.rung += 1
