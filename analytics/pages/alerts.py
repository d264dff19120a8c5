"""The alerts: what is wrong now and since when, what to do about it, who has seen it, and what was wrong before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from analytics.health import alerts, alerts_silencing
from analytics.health.alerts import CRITICAL
from analytics.models import Alert, AlertWatch
from analytics.pages import runbook
from contacts import clock, transactions
from contacts.pages.changelists import ReadOnlyAdmin

PAST = 50  # on a page
SILENCES = {"1": "1 hour", "4": "4 hours", "24": "1 day", "168": "7 days"}


@dataclass(frozen=True)
class Watched:
    """A source, and when it was last looked at. `advice`: its section of the runbook, if there is one."""

    name: str
    title: str
    looked_at: datetime | None
    problem: str
    is_late: bool


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    title_of_list = "Alerts"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("runbook/", view(self.runbook_view), name="analytics_alert_runbook"),
            path("<int:pk>/silence/", view(self.silence_view), name="analytics_alert_silence"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = clock.now()
        unfinished = list(Alert.objects.filter(closed_at=None).order_by("severity", "began_at"))  # critical comes first
        silenced = {row.pk for row in unfinished if row.silenced_until is not None and row.silenced_until > now}
        is_open = [row for row in unfinished if row.opened_at]
        past = _past(request)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Alerts",
            "crumbs": self.crumbs(),
            "now": now,
            "open": is_open,
            "silenced": silenced,
            "critical": sum(row.severity == CRITICAL for row in is_open),
            "brewing": [row for row in unfinished if not row.opened_at],
            "past": past[:PAST],
            "older": past[PAST - 1].pk if len(past) > PAST else None,
            "watched": _watched(now),
            "told": _told(),
            "silences": SILENCES.items(),
            "may_silence": self.may_silence(request),
        }
        return TemplateResponse(request, "admin/analytics/alerts.html", context)

    def may_silence(self, request: HttpRequest) -> bool:
        return request.user.has_perm("analytics.change_alert")

    def silence_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """POST `hours`, one of SILENCES; empty: the silence ends."""
        if request.method != "POST" or not self.may_silence(request):
            raise PermissionDenied
        hours, by = request.POST.get("hours", ""), request.user.get_username()

        def deed(now: datetime) -> bool:
            if hours not in SILENCES:
                return alerts_silencing.end(pk)
            return alerts_silencing.silence(pk, until=now + timedelta(hours=int(hours)), by=by, now=now)

        if not transactions.run(deed):
            messages.info(request, "That alert is over.")
        elif hours in SILENCES:
            messages.success(request, f"Nobody is told of it again for {SILENCES[hours]}, unless it becomes critical.")
        else:
            messages.success(request, "It is told of again for as long as it lasts.")
        return HttpResponseRedirect(reverse("admin:analytics_alert_changelist"))

    def runbook_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "What to do about alerts",
            "crumbs": self.crumbs("What to do"),
            "sections": runbook.read(),
        }
        return TemplateResponse(request, "admin/analytics/runbook.html", context)


def _past(request: HttpRequest) -> list[Alert]:
    """One more than a page shows, the newest first; `?before=ID` goes on."""
    rows = Alert.objects.filter(closed_at__isnull=False).order_by("-id")
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    return list(rows[: PAST + 1])


def _watched(now: datetime) -> list[Watched]:
    watches = {watch.name: watch for watch in AlertWatch.objects.all()}
    titles = {section.anchor: section.title for section in runbook.read()}
    found = []
    for source in alerts.sources():
        watch = watches.get(source.name)
        looked_at = watch.settled_at if watch else None
        is_late = looked_at is None or now - looked_at > 2 * source.every + timedelta(minutes=1)
        title = titles.get(source.name, source.name)
        found.append(Watched(source.name, title, looked_at, watch.problem if watch else "", is_late))
    return found


def _told() -> list[str]:
    """Who hears of alerts, without the address of anybody: a URL may hold a key."""
    found = []
    if count := len(settings.ALERT_EMAIL):
        found.append(f"{count} mail {'address' if count == 1 else 'addresses'}")
    if settings.ALERT_WEBHOOK_URL:
        found.append(f"a webhook at {urlsplit(settings.ALERT_WEBHOOK_URL).hostname}")
    return found
