"""The numbers of one journey: everything that was counted in it, live while somebody looks.

The page asks for its own content again every few seconds with the tag of what it shows; while nothing has been counted
it is answered 304, before anything is drawn."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.template.response import TemplateResponse
from django.urls import path, reverse

from analytics.counting import overview
from analytics.counting.overview import Overview
from analytics.models import Counter, Experiment
from analytics.pages import journey_live, journey_results, pressure
from analytics.pages import workflow_dashboard_rows as rows
from analytics.pages.spans import RANGES, since, today, until
from contacts import clock
from contacts.pages.changelists import ReadOnlyAdmin
from workflows.models import Workflow, WorkflowVersion
from workflows.pages.journeys import JourneyAdmin

VERSIONS_OFFERED = 50  # the newest


@admin.register(Counter)
class CounterAdmin(ReadOnlyAdmin):
    """The pages that show what was counted; there is no list of counters."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("journey/<int:pk>/", view(self.journey_view), name="analytics_counter_journey"),
            path("journey/<int:pk>/results/", view(self.results_view), name="analytics_counter_results"),
            path(
                "journey/<int:pk>/results/<str:step>/",
                view(journey_results.step_view),
                name="analytics_counter_results_step",
            ),
            path("journey/<int:pk>/standing/", view(journey_live.standing_view), name="analytics_counter_standing"),
            path("pressure/", view(self.pressure_view), name="analytics_counter_pressure"),
        ]

    def journey_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return journey_page(request, self.admin_site, pk)

    def results_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return journey_results.results_view(request, self.admin_site, pk)

    def pressure_view(self, request: HttpRequest) -> HttpResponse:
        return pressure.page(request, self.admin_site)


def journey_page(request: HttpRequest, site: AdminSite, pk: int) -> HttpResponse:
    """`?range=7&version=2` narrows what is shown; `&live=1` answers with the content alone, or 304 with the tag of what
    the asker has already."""
    if not request.user.has_perm("workflows.view_workflow"):
        raise PermissionDenied
    workflow = Workflow.objects.select_related("live_version").defer("draft").filter(pk=pk).first()
    if workflow is None:
        raise Http404("There is no such journey")
    now = clock.now()
    span = request.GET.get("range", "") if request.GET.get("range") in RANGES else ""
    numbers = dict(workflow.versions.order_by("-number").values_list("number", "pk")[:VERSIONS_OFFERED])
    number = _number(request.GET.get("version", ""), numbers)
    read = overview.read(
        pk, version_id=numbers.get(number) if number else None, since=since(span, now), until=until(span, now)
    )
    version = _version(workflow, numbers.get(number) if number else None)
    tag = _tag(read, version, span, today(now))
    live = "live" in request.GET
    if live and request.headers.get("If-None-Match") == tag:
        return HttpResponseNotModified(headers={"ETag": tag})
    context = {
        "workflow": workflow,
        "now": now,
        "range": span,
        "number": number,
        "overview": read,
        "may_see_pressure": request.user.has_perm("delivery.view_message"),
        **rows.context(
            read,
            experiments=_experiments(pk) if read.variants else {},
            workflow_id=pk,
            definition=version.definition if version else {},
            since=since(span, now),
            today=today(now),
        ),
    }
    if live:
        template = "admin/analytics/workflow_dashboard_live.html"
    else:
        template = "admin/analytics/workflow_dashboard.html"
        journeys = cast(JourneyAdmin, site.get_model_admin(Workflow))
        context |= {
            **journeys.frame(request, workflow, "numbers"),
            "ranges": [(words, _address(pk, each, number), each == span) for each, words in RANGES.items()],
            "versions": [(each, each == number) for each in numbers],
            "live_address": f"{_address(pk, span, number)}{'&' if span or number else '?'}live=1",
            "on_the_map": _address(pk, span, number, page="results"),
            "tag": tag,
        }
    return TemplateResponse(request, template, context, headers={"ETag": tag})


def _number(asked: str, known: dict[int, int]) -> int | None:
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 and int(asked) in known else None


def _version(workflow: Workflow, asked: int | None) -> WorkflowVersion | None:
    """Whose steps say in which order the rows stand, and what they are called."""
    if asked is None:
        return workflow.live_version
    return WorkflowVersion.objects.get(pk=asked)


def _experiments(workflow_id: int) -> dict[str, str]:
    """The page of each experiment."""
    found = Experiment.objects.filter(workflow_id=workflow_id).values_list("slug", "pk")
    return {slug: reverse("admin:analytics_experiment_change", args=[pk]) for slug, pk in found}


def _address(pk: int, span: str, number: int | None, *, page: str = "journey") -> str:
    asked = "&".join([*([f"range={span}"] if span else []), *([f"version={number}"] if number else [])])
    return reverse(f"admin:analytics_counter_{page}", args=[pk]) + (f"?{asked}" if asked else "")


def _tag(read: Overview, version: WorkflowVersion | None, span: str, today: date) -> str:
    """The same for the same content; it changes at midnight, too, when the days of the charts move on."""
    shown = repr((read, version.pk if version else None, span, today))
    return f'"{hashlib.blake2b(shown.encode(), digest_size=12).hexdigest()}"'
