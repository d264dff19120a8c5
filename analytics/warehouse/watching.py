"""What is wrong with the warehouse, for whoever tells of trouble: a run that failed, and nights without a good one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse

from analytics.health import alerts
from analytics.health.alerts import WARNING, Finding, Source
from analytics.warehouse import nights, runs

STALE = timedelta(hours=36)  # a night was missed, and the next one is half over


def declare() -> None:
    """Called once, when the app is ready."""
    alerts.register(Source("warehouse", look, every=timedelta(minutes=1), opens_after=timedelta(0)))


def look(now: datetime) -> Iterator[Finding]:
    page = reverse("admin:analytics_warehouserun_changelist")
    ended = runs.last_ended()
    if ended is not None and ended.state == "failed":
        yield Finding("failed", WARNING, "The last build of the warehouse failed", ended.problem[:500], page)
    if settings.WAREHOUSE_AT is None:
        return
    good = runs.last_success()
    since = good.finished_at if good is not None and good.finished_at else nights.set_up_at()
    if now - since > STALE:
        hours = (now - since) / timedelta(hours=1)
        said = f"The last good build was {hours:.0f} hours ago." if good else "It was never built."
        yield Finding("stale", WARNING, "The numbers of the warehouse are old", said, page)
