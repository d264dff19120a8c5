"""What every page says of alerts: a number in the menu, and a line where something critical is open."""

from __future__ import annotations

from django.http import HttpRequest

from analytics.health.alerts import CRITICAL
from analytics.models import Alert
from contacts import clock


def unsilenced(request: HttpRequest) -> list[Alert]:
    """What is open and nobody takes care of yet, the gravest first; nothing for those who may not see alerts. One
    statement a request, in an index that holds only what is not over."""
    known: list[Alert] | None = getattr(request, "unsilenced_alerts", None)
    if known is None:
        known = _read() if request.user.has_perm("analytics.view_alert") else []
        request.unsilenced_alerts = known  # type: ignore[attr-defined]
    return known


def _read() -> list[Alert]:
    rows = list(Alert.objects.filter(closed_at=None, opened_at__isnull=False).order_by("severity", "began_at"))
    if not any(row.silenced_until for row in rows):
        return rows  # the usual case asks nobody what time it is
    now = clock.now()
    return [row for row in rows if row.silenced_until is None or row.silenced_until <= now]


def open_count(request: HttpRequest) -> str:
    """For the menu; empty: none."""
    found = unsilenced(request)
    return str(len(found)) if found else ""


def critical(request: HttpRequest) -> list[Alert]:
    """For the line above every page."""
    return [row for row in unsilenced(request) if row.severity == CRITICAL]
