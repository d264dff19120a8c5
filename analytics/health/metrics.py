"""`GET /metrics`: the state of the work in Prometheus' text format, read from PostgreSQL in a constant number of cheap
statements: from queues, folded counts and statistics, never by counting what is large.

Counts only, no names of people: whoever may reach the port may read them, as Prometheus expects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from analytics.health import metrics_house, metrics_work
from contacts import clock


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """503 when the database does not answer."""
    registry = CollectorRegistry()
    try:
        with transaction.atomic():
            registry.register(_Read(list(families(clock.now()))))
    except DatabaseError:
        return HttpResponse("# the database does not answer\n", status=503, content_type=CONTENT_TYPE_LATEST)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def families(now: datetime) -> Iterator[Metric]:
    """Everything, as of `now`. Raises DatabaseError."""
    yield from metrics_work.read(now)
    yield from metrics_house.read(now)


class _Read(Collector):
    """What was read for one answer."""

    def __init__(self, read: Iterable[Metric]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        return self._read
