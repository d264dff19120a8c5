"""Who has the most points: everybody, or those of a stage or a segment, at any instant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse

from contacts import clock, personal, spreadsheets
from contacts.downloads import download
from contacts.models import Segment
from contacts.pages.changelists import ReadOnlyAdmin
from contacts.pages.contacts import full_name
from scoring.lifecycle import stages
from scoring.models import ScoreCrossing
from scoring.pages import distribution_chart, ranking, score_card
from scoring.pages.curve_chart import number
from scoring.pages.ranking import Place, Wish
from scoring.rulesets import reading
from scoring.rulesets.rules import LEAD, Ruleset

COLUMNS = ("rank", "id", "external_id", "email", "score", "stage", "strongest_rules", "change_in_7_days")
SEGMENTS_OFFERED = 200


@admin.register(ScoreCrossing)
class LeaderboardAdmin(ReadOnlyAdmin):
    title_of_list = "Leaderboard"

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("card/<int:contact_id>/", wrap(score_card.part), name="scoring_card"),
            path("export/", wrap(self.export_view), name="scoring_leaderboard_export"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rulesets = {ruleset.name: ruleset for ruleset in reading.active_rulesets()}
        wish = asked(request, rulesets)
        ruleset = rulesets.get(wish.name)
        found = None if ruleset is None else ranking.of(ruleset, wish)
        address = reverse("admin:scoring_leaderboard_export")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Leaderboard",
            "crumbs": [("Leaderboard", "")],
            "wish": wish,
            "as_of": "" if wish.is_now else score_card.written(wish.at),
            "step": score_card.STEP if settings.TIME_SPEED == 1 else 1,
            "ruleset": ruleset,
            "said": score_card.said(ruleset) if ruleset else "",
            "names": [(name, score_card.heading(name)) for name in rulesets],
            "stages": stages.labels().items(),
            "segments": Segment.objects.order_by("name").values_list("slug", "name")[:SEGMENTS_OFFERED],
            **self._spread(ruleset, wish),
            "took_too_long": ruleset is not None and found is None,
            "rows": _rows(found or ()),
            "threshold": number(ruleset.mql_threshold) if ruleset else "",
            "most": ranking.MOST,
            "may_see": request.user.has_perm("contacts.view_contact"),
            "export": _with(address, wish) if self._may_export(request) and found else "",
        }
        return TemplateResponse(request, "admin/scoring/leaderboard.html", context)

    def _spread(self, ruleset: Ruleset | None, wish: Wish) -> dict[str, Any]:
        found = None if ruleset is None else ranking.spread(ruleset, wish)
        return {"spread": found, "chart": distribution_chart.chart(found) if found else None}

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """The shown places as a file."""
        if not self.has_view_permission(request) or not self._may_export(request):
            raise PermissionDenied
        rulesets = {ruleset.name: ruleset for ruleset in reading.active_rulesets()}
        wish = asked(request, rulesets)
        ruleset = rulesets.get(wish.name)
        found = None if ruleset is None else ranking.of(ruleset, wish)
        return download(_lines(found or ()), "csv", "leaderboard")

    def _may_export(self, request: HttpRequest) -> bool:
        return request.user.has_perm("contacts.export_contacts")


def asked(request: HttpRequest, rulesets: dict[str, Ruleset]) -> Wish:
    """What the address asks for; what is not understood is everybody, now."""
    now = clock.now()
    given = {name: request.GET.get(name, "").strip().replace("\x00", "") for name in ("score", "stage", "segment")}
    at, problem = score_card.instant(request.GET.get("as_of", ""), now)
    default = LEAD if LEAD in rulesets else next(iter(rulesets), LEAD)
    return Wish(
        name=given["score"] if given["score"] in rulesets else default,
        stage=given["stage"] if given["stage"] in stages.STAGES else "",
        segment=given["segment"],
        at=at,
        is_now=at == now,
        problem=problem,
    )


def _with(address: str, wish: Wish) -> str:
    given = {"score": wish.name, "stage": wish.stage, "segment": wish.segment}
    chosen = {name: value for name, value in given.items() if value and (name, value) != ("score", LEAD)}
    if not wish.is_now:
        chosen["as_of"] = score_card.written(wish.at)
    return f"{address}?{urlencode(chosen)}" if chosen else address


def _rows(places: tuple[Place, ...]) -> list[dict[str, Any]]:
    largest = max((abs(place.score) for place in places), default=0.0) or 1.0
    labels = stages.labels()
    return [
        {
            "rank": place.rank,
            "contact_id": place.contact.pk,
            "name": full_name(place.contact) or str(place.contact),
            "address": str(place.contact) if full_name(place.contact) else "",
            "score": number(place.score),
            "width": round(100 * max(0.0, place.score) / largest),
            "stage": labels.get(place.stage, ""),
            "reason": place.reason,
            "change": score_card.points(place.change),
            "moved": "up" if round(place.change, 1) > 0 else "down" if round(place.change, 1) < 0 else "",
        }
        for place in places
    ]


def _lines(places: tuple[Place, ...]) -> Iterator[str]:
    yield spreadsheets.lines([COLUMNS])
    yield spreadsheets.lines(_cells(place) for place in places)


def _cells(place: Place) -> tuple[object, ...]:
    contact = place.contact
    names = (contact.public_id, personal.address(contact.external_id), personal.address(contact.email))
    return (place.rank, *names, place.score, place.stage, place.reason, round(place.change, 6))
