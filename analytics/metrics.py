"""`GET /metrics`: the state of the work in Prometheus' text format, read from PostgreSQL in four cheap statements.

Counts only, no names of people: whoever may reach the port may read them, as Prometheus expects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from analytics import queues
from analytics.counters import ALL
from contacts import clock
from workflows.entry import brake
from workflows.models.enrolment import FINISHED, UNFINISHED

OUTCOMES = (
    "queued", "accepted", "rejected", "in_doubt", "undetermined", "suppressed", "capped", "cancelled", "replayed",
)  # fmt: skip

_COUNTED = f"""
    SELECT step = '' AND split_part(metric, ':', 1) = ANY(%s), split_part(metric, ':', 1), sum(amount)::bigint
      FROM {ALL} AS counted GROUP BY 1, 2
"""
_LIVE = "SELECT state, count(*) FROM workflow_enrolments WHERE state IN ('pending', 'active', 'waiting') GROUP BY 1"


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """503 when the database does not answer."""
    registry = CollectorRegistry()
    try:
        with transaction.atomic():
            registry.register(_Read(list(_read(clock.now()))))
    except DatabaseError:
        return HttpResponse("# the database does not answer\n", status=503, content_type=CONTENT_TYPE_LATEST)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Read(Collector):
    """What was read for one answer."""

    def __init__(self, read: Iterable[Metric]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        return self._read


def _read(now: datetime) -> Iterator[Metric]:
    yield from _queues(now)
    enrolments, messages = _numbers()
    entered = CounterMetricFamily("carillon_enrolments_entered", "Enrolments that ever began.")
    entered.add_metric([], enrolments.get("entered", 0))
    yield entered
    states = GaugeMetricFamily("carillon_enrolments", "Enrolments by state.", labels=["state"])
    for state in (*UNFINISHED, *FINISHED):
        states.add_metric([state], enrolments.get(state, 0))
    yield states
    braked = GaugeMetricFamily("carillon_brakes", "Workflows that a flood made wait for a person.")
    braked.add_metric([], len(brake.held()))
    yield braked
    outcomes = CounterMetricFamily("carillon_messages", "Messages by what became of them.", labels=["outcome"])
    for outcome in OUTCOMES:
        outcomes.add_metric([outcome], messages.get(outcome, 0))
    yield outcomes


def _queues(now: datetime) -> Iterator[Metric]:
    labels = ["queue", "lane"]
    depth = GaugeMetricFamily("carillon_queue_depth", "What could be worked on now.", labels=labels)
    age = GaugeMetricFamily(
        "carillon_queue_oldest_age_seconds",
        "How long the oldest of a queue has waited; 0 if it is empty.",
        labels=labels,
    )
    for queue in queues.read(now=now):
        depth.add_metric([queue.name, queue.lane], queue.depth)
        if queue.age is not None or queue.name != "counters":
            age.add_metric([queue.name, queue.lane], queue.age or 0.0)
    yield depth
    yield age


def _numbers() -> tuple[dict[str, int], dict[str, int]]:
    """Enrolments by state, with `entered`; messages by outcome."""
    of_enrolments = ["entered", *FINISHED]
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, [of_enrolments])
        counted = cursor.fetchall()
        cursor.execute(_LIVE)
        live = dict(cursor.fetchall())
    enrolments = {name: amount for is_enrolment, name, amount in counted if is_enrolment}
    messages = {name: amount for is_enrolment, name, amount in counted if not is_enrolment and name in OUTCOMES}
    return enrolments | live, messages
