"""The warehouse: when its numbers were last built, how far a build is, how long each part took, and what was wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse

from analytics.models import WarehouseRun
from analytics.warehouse import nights, runs
from contacts import clock, transactions
from contacts.pages.changelists import ReadOnlyAdmin

PAST = 20  # runs on the page
STATES = {
    "queued": ("Waiting", "info"),
    "running": ("Building", "good"),
    "finished": ("Built", "good"),
    "failed": ("Failed", "bad"),
}
KINDS = {"nightly": "the night", "by_hand": "by hand", "full_refresh": "everything anew"}
GOOD = ("success", "pass")


@dataclass(frozen=True)
class Part:
    """A model, a test or a source of a run; `width`: the length of its bar, in per cent of the longest."""

    name: str
    state: str
    tone: str
    rows: int | None
    seconds: float
    width: float


@dataclass(frozen=True)
class Parts:
    """What a run consisted of, the slowest model first; of the tests those that did not pass."""

    models: Sequence[Part]
    tests: int
    broken: Sequence[Part]
    sources: Sequence[Part]


@admin.register(WarehouseRun)
class WarehouseAdmin(ReadOnlyAdmin):
    title_of_list = "Warehouse"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("progress/", view(self.progress_view), name="analytics_warehouserun_progress"),
            path("build/", view(self.build_view), name="analytics_warehouserun_build"),
            *super().get_urls(),
        ]

    def may_build(self, request: HttpRequest) -> bool:
        return request.user.has_perm("analytics.add_warehouserun")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = clock.now()
        past = list(WarehouseRun.objects.order_by("-id")[:PAST])
        current = next((run for run in past if run.state in ("queued", "running")), None)
        ended = runs.last_ended()
        good = runs.last_success()
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Warehouse",
            "crumbs": self.crumbs(),
            "now": now,
            "current": current,
            "percent": percent(current),
            "words": words(current),
            "good": good,
            "ended": ended,
            "parts": parts(ended.results) if ended else None,
            "past": [(run, *STATES[run.state], KINDS[run.kind], seconds(run)) for run in past],
            "at": settings.WAREHOUSE_AT,
            "zone": settings.DEFAULT_TIMEZONE,
            "may_build": self.may_build(request) and current is None,
        }
        return TemplateResponse(request, "admin/analytics/warehouse.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A run has no page of its own."""
        return HttpResponseRedirect(reverse("admin:analytics_warehouserun_changelist"))

    def progress_view(self, request: HttpRequest) -> JsonResponse:
        """How far the build is, for the page that watches it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        run = WarehouseRun.objects.filter(state__in=["queued", "running"]).first()
        told = {"open": run is not None, "percent": percent(run), "words": words(run)}
        return JsonResponse(told, headers={"Cache-Control": "no-store"})

    def build_view(self, request: HttpRequest) -> HttpResponse:
        """POST; `everything`: anew, and not only what came since."""
        if request.method != "POST" or not self.may_build(request):
            raise PermissionDenied
        kind = "full_refresh" if request.POST.get("everything") else "by_hand"
        by = request.user.get_username()

        def deed(now: datetime) -> None:
            runs.ask(kind, now=now, by=by)
            nights.ring()

        try:
            transactions.run(deed)
        except runs.RunInProgress:
            messages.info(request, "It is being built already.")
        return HttpResponseRedirect(reverse("admin:analytics_warehouserun_changelist"))


def percent(run: WarehouseRun | None) -> int:
    return min(99, 100 * run.models_done // run.models_total) if run and run.models_total else 0


def words(run: WarehouseRun | None) -> str:
    if run is None:
        return ""
    if run.state == "queued":
        return "Waiting for its turn"
    if not run.models_total:
        return "Making ready"
    return f"{run.models_done:,} of {run.models_total:,} models and tests"


def seconds(run: WarehouseRun) -> float | None:
    return (run.finished_at - run.started_at).total_seconds() if run.finished_at and run.started_at else None


def parts(results: Sequence[Mapping[str, Any]]) -> Parts:
    longest = max((each["seconds"] for each in results if each["kind"] == "model"), default=0.0) or 1.0

    def part(each: Mapping[str, Any]) -> Part:
        good = each["state"] in GOOD
        tone = "good" if good else "warn" if each["state"] in ("warn", "skipped") else "bad"
        width = round(100 * each["seconds"] / longest, 1)
        return Part(each["model"], each["state"], tone, each["rows"], each["seconds"], width)

    models = [part(each) for each in results if each["kind"] == "model"]
    tests = [part(each) for each in results if each["kind"] == "test"]
    return Parts(
        models=sorted(models, key=lambda each: -each.seconds),
        tests=len(tests),
        broken=[each for each in tests if each.state != "pass"],
        sources=[part(each) for each in results if each["kind"] == "source"],
    )
