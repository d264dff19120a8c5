"""The page Freeze: what stands still and why, what would go on, and the two buttons."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from analytics.health import held_back
from analytics.pages import freeze_line
from contacts import clock, freezing, transactions
from contacts.models import Freeze
from contacts.pages.changelists import ReadOnlyAdmin
from workflows import publishing
from workflows.models import Workflow

PAST = 20  # freezes on the page
PATIENCE_SECONDS = 8.0  # for what is under way, while somebody waits for the page
KINDS = {freezing.BY_HAND: "by hand", freezing.RESTORED: "a restored copy"}
KEPT = {"all": None, "day": timedelta(days=1), "none": timedelta(0)}  # what a release sends: how old it may be


@admin.register(Freeze)
class FreezeAdmin(ReadOnlyAdmin):
    title_of_list = "Freeze"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("freeze/", view(self.freeze_view), name="contacts_freeze_freeze"),
            path("release/", view(self.release_view), name="contacts_freeze_release"),
            *super().get_urls(),
        ]

    def may_act(self, request: HttpRequest) -> bool:
        return request.user.has_perm(freezing.FREEZE)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = clock.now()
        standing = freezing.standing()
        frozen = [each for each in standing if each.workflow_id is None]
        past = list(Freeze.objects.exclude(ended_at=None).order_by("-ended_at", "-id")[:PAST])
        ids = {each.workflow_id for each in standing} | {row.workflow_id for row in past}
        journeys = Workflow.objects.in_bulk([pk for pk in ids if pk])
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Freeze",
            "crumbs": self.crumbs(),
            "frozen": frozen,
            "snapshot_at": next((each.snapshot_at for each in frozen if each.snapshot_at), None),
            "held": held_back.read(now=now) if frozen else [],
            "droppable": sum(held_back.droppable(before=frozen[0].began_at).values()) if frozen else 0,
            "journeys": [(each, journeys.get(each.workflow_id)) for each in standing if each.workflow_id],
            "past": [(row, KINDS[row.kind], journeys.get(row.workflow_id or 0)) for row in past],
            "may_act": self.may_act(request),
            "choices": _choices({each.workflow_id for each in standing}) if self.may_act(request) else [],
        }
        return TemplateResponse(request, "admin/analytics/freezes.html", context)

    def freeze_view(self, request: HttpRequest) -> HttpResponse:
        """POST only: `reason`, and `journey` (a slug) if it is not everything."""
        self._insist(request)
        slug, reason = request.POST.get("journey", ""), request.POST.get("reason", "").strip()
        if not reason:
            messages.error(request, "Say why: everybody else asks what happened.")
            return self._back()
        try:
            workflow_id = self._freeze(slug, reason)
            freeze_line.look()
            freezing.settle(workflow_id=workflow_id, patience=PATIENCE_SECONDS)
        except (publishing.UnableToChange, Workflow.DoesNotExist) as error:
            messages.error(request, f"Not frozen: {error}.")
        except freezing.StillUnderWay:
            messages.warning(request, "Frozen. Something that had begun before is still under way.")
        else:
            messages.success(request, f"{slug or 'Everything'} is frozen. Nothing of it can leave any more.")
        return self._back()

    def release_view(self, request: HttpRequest) -> HttpResponse:
        """POST only: `journey`, or `keep` (all · day · none): what of the queue is sent."""
        self._insist(request)
        slug, keep = request.POST.get("journey", ""), request.POST.get("keep", "all")
        if keep not in KEPT:
            raise PermissionDenied
        try:
            words = self._release_journey(slug) if slug else self._release(KEPT[keep])
        except (publishing.UnableToChange, Workflow.DoesNotExist) as error:
            messages.error(request, f"Not released: {error}.")
        else:
            messages.success(request, words)
        freeze_line.look()
        return self._back()

    def _insist(self, request: HttpRequest) -> None:
        if request.method != "POST" or not self.may_act(request):
            raise PermissionDenied

    def _freeze(self, slug: str, reason: str) -> int | None:
        if slug:
            return transactions.run(lambda now: publishing.freeze(slug=slug, reason=reason, now=now))
        transactions.run(lambda now: freezing.freeze(reason=reason, now=now))
        return None

    def _release_journey(self, slug: str) -> str:
        transactions.run(lambda now: publishing.release(slug=slug, now=now))
        return f"{slug} is released: what waited goes on."

    def _release(self, longest: timedelta | None) -> str:
        began_at = held_back.boundary(freezing.standing())
        dropped = 0
        if longest is not None and began_at is not None:
            dropped = sum(held_back.drop(before=began_at - longest).values())
        transactions.run(lambda now: freezing.release(now=now))
        return "Everything is released: what waited goes on." + (f" {dropped:,} were not sent." if dropped else "")

    def _back(self) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:contacts_freeze_changelist"))


def _choices(frozen: set[int | None]) -> list[tuple[str, str]]:
    rows = Workflow.objects.filter(status__in=["live", "paused"]).exclude(pk__in=[pk for pk in frozen if pk])
    return list(rows.order_by("name", "slug").values_list("slug", "name"))
