"""Celery rings doorbells: lanes, routes and the beat. The work itself lies in PostgreSQL rows."""

import os
from typing import Any

from celery import Celery, bootsteps, signals
from django.db import close_old_connections

from config.lanes import LANES, heartbeat_of

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Celery would run Django's checks at every start, which loads all routes and pages, and look at none of the findings.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("carillon")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


class Turning(bootsteps.StartStopStep):
    """Tells the heartbeat of each lane that the worker's loop goes round. A timer of the consumer fires between two
    tasks, never during one, and is cleared when the broker is lost: so neither a stuck task nor a worker that has no
    broker keeps the heart beating."""

    requires = {"celery.worker.consumer.tasks:Tasks"}

    def start(self, parent: Any) -> None:
        for heartbeat in _heartbeats:
            parent.timer.call_repeatedly(1.0, heartbeat.turn)


app.steps["consumer"].add(Turning)
_heartbeats: list[Any] = []


@signals.task_prerun.connect
def _mend_connections(**kwargs: Any) -> None:
    """A connection that was cut is opened anew before the next task. With CELERY_DB_REUSE_MAX Celery keeps even a dead
    one, and a worker that met a restart of PostgreSQL would fail at every task from then on."""
    close_old_connections()


@signals.beat_init.connect
def _end_between_ticks(sender: Any, **kwargs: Any) -> None:
    from config.beat import end_between_ticks

    end_between_ticks(sender)


@signals.worker_init.connect
def _look_first(**kwargs: Any) -> None:
    """A restored copy is frozen before anything is claimed (ADR 0057)."""
    from contacts import doorbell, restored

    doorbell.look_first(restored.look_first)


@signals.celeryd_after_setup.connect
def _begin_heartbeats(sender: str, instance: Any, **kwargs: Any) -> None:
    from contacts.heartbeat import Heartbeat

    _heartbeats[:] = [Heartbeat(heartbeat_of(lane)) for lane in instance.app.amqp.queues.consume_from if lane in LANES]


@signals.worker_ready.connect
def _start_heartbeats(**kwargs: Any) -> None:
    from contacts.garbage import collect_seldom

    collect_seldom()
    for heartbeat in _heartbeats:
        heartbeat.start()


@signals.worker_shutting_down.connect
def _stop_heartbeats(**kwargs: Any) -> None:
    for heartbeat in _heartbeats:
        heartbeat.stop()
