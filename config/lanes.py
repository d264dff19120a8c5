"""The lanes: work that must not wait for other work has a queue and a worker process of its own."""

from __future__ import annotations

LANES = ("urgent", "bulk", "delivery_urgent", "delivery_bulk", "webhooks", "housekeeping")
DISPATCHER = "dispatcher"  # the name under which the timer dispatcher beats
KAFKA = "kafka"  # and the reader of Kafka


def queues_of(lane: str) -> str:
    """What the worker of a lane listens to, as Celery's -Q wants it: where waits end, the bells that ring later, too
    (`contacts.doorbell.eta_queue`)."""
    return f"{lane},{lane}_eta" if lane in ("urgent", "bulk") else lane


def heartbeat_of(lane: str) -> str:
    """The name under which the worker of a lane beats."""
    return f"lane {lane}"


def beating(*, with_kafka: bool) -> list[str]:
    """The names under which the processes of an installation beat."""
    return [*map(heartbeat_of, LANES), DISPATCHER, *[KAFKA] * with_kafka]
