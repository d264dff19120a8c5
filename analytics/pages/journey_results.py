"""The results of a journey: its map with what was counted on it, live while somebody looks. The page "Numbers" has the
same read as tables and charts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse

from analytics.counting import overview
from analytics.counting.overview import Overview
from analytics.pages import journey_live, journey_numbers, journey_step
from analytics.pages.journey_links import Links
from analytics.pages.spans import RANGES, since, today, until
from contacts import clock
from workflows import wording
from workflows.builder.picture import picture
from workflows.models import Workflow, WorkflowVersion
from workflows.pages.builder.numbers import Number, drawn
from workflows.pages.journeys import JourneyAdmin

VERSIONS_OFFERED = 50  # the newest


@dataclass(frozen=True)
class Asked:
    """What somebody wants to see. `version`: whose map it is; None where nothing was published yet, and the map is the
    draft's. `number`: of the version whose people alone are counted."""

    workflow: Workflow
    span: str
    number: int | None
    numbers: dict[int, int]
    version: WorkflowVersion | None

    @property
    def definition(self) -> dict[str, Any]:
        return self.version.definition if self.version else self.workflow.draft

    @property
    def query(self) -> str:
        asked = [*([f"range={self.span}"] if self.span else []), *([f"version={self.number}"] if self.number else [])]
        return "&".join(asked)

    def read(self, now: datetime) -> Overview:
        version_id = self.numbers.get(self.number) if self.number else None
        first: date | None = since(self.span, now)
        return overview.read(self.workflow.pk, version_id=version_id, since=first, until=until(self.span, now))

    def links(self, read: Overview) -> Links:
        own = next((each for each in read.versions if each.number == self.number), None)
        moved = own is not None and bool(own.moved_in or own.moved_out)
        return Links(self.workflow.pk, version=self.number, ranged=bool(self.span), moved=moved)


def asked(request: HttpRequest, pk: int) -> Asked:
    if not request.user.has_perm("workflows.view_workflow"):
        raise PermissionDenied
    workflow = Workflow.objects.select_related("live_version").filter(pk=pk).first()
    if workflow is None:
        raise Http404("There is no such journey")
    span = request.GET.get("range", "") if request.GET.get("range") in RANGES else ""
    numbers = dict(workflow.versions.order_by("-number").values_list("number", "pk")[:VERSIONS_OFFERED])
    number = _number(request.GET.get("version", ""), numbers)
    version = WorkflowVersion.objects.get(pk=numbers[number]) if number else workflow.live_version
    return Asked(workflow, span, number, numbers, version)


def results_view(request: HttpRequest, site: AdminSite, pk: int) -> HttpResponse:
    """`?range=7&version=2` narrows what is counted; `&live=<id of the version that is drawn>` answers with the numbers
    alone, or 304."""
    wanted, now = asked(request, pk), clock.now()
    read = wanted.read(now)
    drawn_id = wanted.version.pk if wanted.version else 0
    shown = (read, drawn_id, today(now))
    if "live" in request.GET:
        published = request.GET["live"] != str(drawn_id)  # another version, since this map was drawn
        return journey_live.answer(request, shown, lambda: _parts(read, wanted), reload=published)
    journeys = cast(JourneyAdmin, site.get_model_admin(Workflow))
    here = reverse("admin:analytics_counter_results", args=[pk])
    context = {
        **journeys.frame(request, wanted.workflow, "results"),
        **_map(read, wanted),
        **_head(read, wanted),
        "is_fullwidth": True,
        "asked": wanted,
        "may_change": False,
        "reading": True,
        "ranges": [(words, _address(here, each, wanted.number), each == wanted.span) for each, words in RANGES.items()],
        "versions": [(each, each == wanted.number) for each in wanted.numbers],
        "live_address": f"{here}?{wanted.query}{'&' if wanted.query else ''}live={drawn_id}",
        "step_address": reverse("admin:analytics_counter_results_step", args=[pk, "STEP"]) + f"?{wanted.query}",
        "all_numbers": _address(reverse("admin:analytics_counter_journey", args=[pk]), wanted.span, wanted.number),
        "tag": journey_live.tag_of(shown),
    }
    return TemplateResponse(request, "admin/analytics/journey_results.html", context)


def step_view(request: HttpRequest, pk: int, step: str) -> HttpResponse:
    """All the numbers of one card, for the panel beside the map."""
    wanted, now = asked(request, pk), clock.now()
    read = wanted.read(now)
    found = journey_step.details(read, wanted.definition, step, wanted.links(read))
    if found is None:
        raise Http404("There is no such step")
    tag = journey_live.tag_of((found, wanted.span))
    context = {"details": found, "key": step, "asked": wanted}
    return TemplateResponse(request, "admin/analytics/journey_step.html", context, headers={"ETag": tag})


def _parts(read: Overview, wanted: Asked) -> dict[str, str]:
    found = {"results-head": render_to_string("admin/analytics/journey_results_head.html", _head(read, wanted))}
    cards = journey_numbers.of_results(read, wanted.definition, wanted.links(read))
    return {**found, **journey_numbers.parts(cards, journey_numbers.shares(read, wanted.definition))}


def _map(read: Overview, wanted: Asked) -> dict[str, Any]:
    cards = journey_numbers.of_results(read, wanted.definition, wanted.links(read))
    return {
        "picture": picture(wanted.definition),
        "numbers": drawn(cards),
        "shares": journey_numbers.shares(read, wanted.definition),
    }


def _head(read: Overview, wanted: Asked) -> dict[str, Any]:
    """What became of everybody, and why people left."""
    links, fates = wanted.links(read), read.fates
    left = sum(fates.exited.values())
    return {
        "fates": [
            Number("entered", fates.entered, "entered", links.entered()),
            Number("here", fates.here_now, "here now", links.here()),
            Number("completed", fates.completed, "completed", links.finished("completed")),
            Number("left", left, "left early", links.finished("exited")),
            *([Number("failed", fates.failed, "failed", links.finished("failed"))] if fates.failed else []),
        ],
        "exits": [
            Number(f"exit-{reason}", count, wording.exit_reason(reason), links.finished("exited", reason))
            for reason, count in fates.exited.items()
        ],
    }


def _number(said: str, known: dict[int, int]) -> int | None:
    return int(said) if said.isascii() and said.isdigit() and len(said) < 9 and int(said) in known else None


def _address(page: str, span: str, number: int | None) -> str:
    query = "&".join([*([f"range={span}"] if span else []), *([f"version={number}"] if number else [])])
    return f"{page}?{query}" if query else page
