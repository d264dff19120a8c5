"""Journeys: the list, the ways to the pages of one (the builder first), and the deeds: publish, pause, archive."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.safestring import SafeString

from contacts import clock
from contacts.authority import NotAllowed
from contacts.pages.cells import moment, pill, stacked
from contacts.pages.changelists import CarillonAdmin, Empty
from workflows import publishing
from workflows.editing import edit_plan
from workflows.entry import brake
from workflows.figures import figures
from workflows.models import Workflow
from workflows.pages import new_journey
from workflows.pages import plan as admin_plan
from workflows.pages import rehearsals as admin_rehearsals
from workflows.pages import tests as admin_tests
from workflows.pages import versions as admin_versions
from workflows.pages.builder import map as builder_map
from workflows.pages.builder import operations as builder_operations
from workflows.pages.builder import panels as builder_panels
from workflows.pages.builder import parts as builder_parts
from workflows.pages.builder import publishing as builder_publishing
from workflows.pages.builder import text as builder_text
from workflows.pages.builder import trying as builder_trying
from workflows.pages.builder import version_maps as builder_version_maps
from workflows.pages.entries import AddingPeople

DEEDS = {
    "pause": "The journey is paused: nobody enters and nobody goes on until it is resumed.",
    "resume": "The journey goes on.",
    "archive": "The journey is archived. Whoever was under way has left it.",
    "release": "The brake is off. Whoever waited begins now.",
}


@admin.register(Workflow)
class JourneyAdmin(AddingPeople, CarillonAdmin):
    list_display = ("title", "status_pill", "entered", "here_now", "completed", "changed")
    list_display_links = ("title",)
    list_select_related = ("live_version",)
    list_filter = ("status",)
    ordering = ("-updated_at",)
    search_fields = ("name__icontains", "slug__startswith")
    search_help_text = "Part of a name, or how the slug begins"
    actions = None
    hanging_words = {
        "workflows.DraftRevision": "kept changes of the draft",
        "workflows.JourneyTests": "tests",
        "workflows.Rehearsal": "rehearsals",
    }
    empty = Empty(
        "account_tree",
        "No journeys yet",
        "A journey says what happens to a contact after an event: emails, waits, branches. Begin with one that works "
        "already, or from scratch.",
        sample="gallery",
    )

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        known = figures([workflow.pk for workflow in rows])
        for workflow in rows:
            workflow.shown = known.get(workflow.pk)

    @admin.display(description="Journey")
    def title(self, workflow: Workflow) -> SafeString:
        return stacked(workflow.name, workflow.slug)

    @admin.display(description="Status")
    def status_pill(self, workflow: Workflow) -> SafeString:
        return status_of(workflow)

    @admin.display(description="Entered")
    def entered(self, workflow: Any) -> str:
        return f"{workflow.shown.entered:,}" if workflow.shown else "0"

    @admin.display(description="Here now")
    def here_now(self, workflow: Any) -> str:
        return f"{workflow.shown.here_now:,}" if workflow.shown else "0"

    @admin.display(description="Completed")
    def completed(self, workflow: Any) -> str:
        return f"{workflow.shown.completed:,}" if workflow.shown else "0"

    @admin.display(description="Changed")
    def changed(self, workflow: Workflow) -> SafeString:
        return moment(workflow.updated_at)

    def has_delete_permission(self, request: HttpRequest, obj: Workflow | None = None) -> bool:
        """Only what never ran: a published journey is archived instead, and its history stays."""
        return super().has_delete_permission(request, obj) and (obj is None or obj.live_version_id is None)

    def delete_model(self, request: HttpRequest, obj: Workflow) -> None:
        try:
            publishing.discard(slug=obj.slug, now=clock.now())
        except publishing.UnableToChange as error:  # published since the page asked
            raise PermissionDenied from error

    def has_publish_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("workflows.publish_workflow")

    # -- one journey ----------------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("sample/<slug:key>/", wrap(partial(new_journey.preview_view, self)), name="workflows_workflow_sample"),
            path("check/", wrap(partial(builder_text.check_view, self)), name="workflows_workflow_check"),
            *self.entry_urls(),
            *(
                path(f"<int:pk>/{route}", wrap(partial(view, self)), name=f"workflows_workflow_{name}")
                for route, view, name in (
                    *admin_versions.PAGES,
                    *admin_plan.PAGES,
                    *admin_tests.PAGES,
                    *admin_rehearsals.PAGES,
                    *builder_map.PAGES,
                    *builder_operations.PAGES,
                    *builder_parts.PAGES,  # before the steps: their names begin with a dot
                    *builder_panels.PAGES,
                    *builder_version_maps.PAGES,
                    *builder_publishing.PAGES,
                    *builder_text.PAGES,
                    *builder_trying.PAGES,
                )
            ),
            path("<int:pk>/<str:deed>/now/", wrap(self.deed_view), name="workflows_workflow_deed"),
            *super().get_urls(),
        ]

    def workflow_of(self, request: HttpRequest, object_id: Any) -> Workflow:
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = (
            Workflow.objects.select_related("live_version").filter(pk=object_id) if str(object_id).isdecimal() else None
        )
        workflow = found.first() if found is not None else None
        if workflow is None:
            raise Http404("There is no such journey")
        return workflow

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return new_journey.new_journey_view(self, request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The builder."""
        return builder_map.map_view(self, request, self.workflow_of(request, object_id).pk)

    def publish_and_tell(self, request: HttpRequest, workflow: Workflow) -> None:
        """Publish the draft; the next page says how it went."""
        if not self.has_publish_permission(request):
            raise PermissionDenied
        try:
            with transaction.atomic():
                note = request.POST.get("note", "").strip()[: builder_publishing.LONGEST_NOTE]
                by = request.user.get_username()
                number = publishing.publish(slug=workflow.slug, by=by, note=note, now=clock.now())
        except publishing.CannotPublish as error:
            problems = builder_publishing.problems_that_bar(len(error.problems))
            messages.error(request, f"Saved, but not published: {problems}")
        except publishing.UnableToChange as error:
            messages.error(request, f"Not published: {error}.")
        except NotAllowed as error:
            messages.error(request, f"Not published. {error}")
        else:
            messages.success(request, f"Version {number} is published. Whoever enters from now on takes it.")
            if people := edit_plan.under_way_elsewhere(workflow.pk):
                messages.info(request, admin_plan.offer(workflow.pk, people))

    def frame(self, request: HttpRequest, workflow: Workflow | None, tab: str) -> dict[str, Any]:
        """What the pages of one journey have in common."""
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": workflow.name if workflow else "New journey",
            "crumbs": self.crumbs(workflow.name if workflow else "New journey"),
            "workflow": workflow,
            "status": status_of(workflow) if workflow else pill("New", "plain"),
            "tab": tab,
            "figures": figures([workflow.pk]).get(workflow.pk) if workflow else None,
            "braked": next(iter(brake.held(workflow.pk)), None) if workflow else None,
            "may_delete": workflow is not None and self.has_delete_permission(request, workflow),
            "may_move": workflow is not None and self.has_publish_permission(request),
            "next_version": workflow.live_version.number + 1 if workflow and workflow.live_version else 1,
        }

    def deed_view(self, request: HttpRequest, pk: int, deed: str) -> HttpResponse:
        if request.method != "POST" or not self.has_publish_permission(request):
            raise PermissionDenied
        if deed not in DEEDS:
            raise Http404("There is no such deed")
        workflow = self.workflow_of(request, pk)
        try:
            with transaction.atomic():
                if deed == "release":
                    brake.release(workflow.pk, by=request.user.get_username(), now=clock.now())
                else:
                    getattr(publishing, deed)(slug=workflow.slug, now=clock.now())
        except publishing.UnableToChange as error:
            messages.error(request, f"Not done: {error}.")
        else:
            messages.success(request, DEEDS[deed])
        return HttpResponseRedirect(reverse("admin:workflows_workflow_change", args=[pk]))

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("live_version")


def status_of(workflow: Workflow) -> SafeString:
    """Draft · Live v3 · Live v3, draft has changes · Paused · Archived."""
    live = workflow.live_version
    if live is None:
        return pill("Archived" if workflow.status == "archived" else "Draft", "plain")
    changed = workflow.status != "archived" and publishing.definition_hash(workflow.draft) != live.definition_hash
    words = {"live": "Live", "paused": "Paused", "archived": "Archived"}.get(workflow.status, workflow.status)
    tone = {"live": "good", "paused": "warn"}.get(workflow.status, "plain")
    return pill(f"{words} {live}{', draft has changes' if changed else ''}", tone)
