"""Segments: written with the condition editor, which shows at once how many people it finds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import slugify
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from contacts import transactions
from contacts.audiences import preview, segments
from contacts.audiences.naming import LONGEST_NAME, Refused
from contacts.audiences.segments import Standing
from contacts.conditions.verdict import verdict
from contacts.models import Segment
from contacts.pages import members, segment_check
from contacts.pages.cells import link, moment, pill, stacked
from contacts.pages.changelists import Empty, ReadOnlyAdmin
from contacts.pages.condition_editor import ConditionField, NotReadable, explain_view, path_of, read
from contacts.pages.contacts import names_of
from contacts.pages.members import cursor_of, lately, members_page
from contacts.spelling import arranged_deeply

CLIPPED = 110  # characters of a sentence in the list


class SegmentForm(forms.Form):
    name = forms.CharField(max_length=LONGEST_NAME, widget=UnfoldAdminTextInputWidget)
    slug = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="What conditions, journeys and the API call it, for ever. Left empty, it is made of the name.",
    )
    description = forms.CharField(
        required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}), help_text="What it is for, in your words"
    )
    condition = ConditionField()

    def __init__(self, *args: Any, segment: Segment | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if segment is not None:
            del self.fields["slug"]
        self.fields["condition"].widget.segment = segment.slug if segment else ""

    def refuse(self, error: Refused) -> None:
        """Say what a door refused, each at its field."""
        for fault in error.faults:
            place, *rest = fault.loc or ("",)
            where = f"{path_of(rest)}: " if rest else ""
            self.add_error(str(place) if place in self.fields else None, f"{where}{fault.msg}")


@admin.register(Segment)
class SegmentAdmin(ReadOnlyAdmin):
    list_display = ("title", "who", "members", "standing", "changed")
    list_display_links = ("title",)
    ordering = ("name", "slug")
    search_fields = ("name__icontains", "slug__istartswith")
    search_help_text = "A word of the name, or how the slug begins"
    empty = Empty(
        "groups",
        "No segments yet",
        "A segment is everybody for whom a condition is true. People come into it and leave it by themselves, and "
        "journeys can start when they do.",
        sample="gallery",
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("contacts.add_segment")

    def may_change(self, request: HttpRequest) -> bool:
        return request.user.has_perm("contacts.change_segment")

    def may_delete(self, request: HttpRequest) -> bool:
        return request.user.has_perm("contacts.delete_segment")

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        standings = _standings(rows)
        for segment in rows:
            segment.shown_standing = standings[segment.slug]

    @admin.display(description="Segment")
    def title(self, segment: Segment) -> SafeString:
        return stacked(segment.name, segment.slug)

    @admin.display(description="Who")
    def who(self, segment: Segment) -> SafeString:
        sentence = sentence_of(segment)
        return format_html(
            '<span class="cl-words">{}</span>', sentence if len(sentence) <= CLIPPED else f"{sentence[:CLIPPED]}…"
        )

    @admin.display(description="Members")
    def members(self, segment: Any) -> SafeString:
        number = members.counted(segment.shown_standing.members)
        return link(number, reverse("admin:contacts_segment_members", args=[segment.pk]))

    @admin.display(description="State")
    def standing(self, segment: Any) -> SafeString:
        return state_of(segment.shown_standing)

    @admin.display(description="Changed")
    def changed(self, segment: Segment) -> SafeString:
        return moment(segment.updated_at)

    # -- pages ----------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("conditions/explain/", wrap(explain_view), name="contacts_condition_explain"),
            path("preview/", wrap(self.preview_view), name="contacts_segment_preview"),
            path("<int:pk>/members/", wrap(self.members_view), name="contacts_segment_members"),
            path("<int:pk>/delete/", wrap(self.remove_view), name="contacts_segment_delete"),
            path("<int:pk>/check/", wrap(self.check_view), name="contacts_segment_check"),
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = SegmentForm(request.POST or None, initial={"condition": {"all": []}})
        if request.method == "POST" and form.is_valid():
            said = form.cleaned_data
            slug = said.pop("slug") or slugify(said["name"])
            try:
                pk = transactions.run(lambda now: segments.create(slug=slug, now=now, **said))
            except Refused as error:
                form.refuse(error)
            else:
                messages.success(request, f"“{said['name']}” is made; its members are being gathered.")
                return HttpResponseRedirect(reverse("admin:contacts_segment_change", args=[pk]))
        return self._page(request, None, form, "New segment")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        segment = self._segment(request, object_id)
        known = {"name": segment.name, "description": segment.description, "condition": _arranged(segment)}
        if request.method == "POST" and not self.may_change(request):
            raise PermissionDenied
        form = SegmentForm(request.POST or None, initial=known, segment=segment)
        if request.method == "POST" and form.is_valid():
            said = form.cleaned_data
            try:
                transactions.run(lambda now: segments.change(segment.slug, now=now, **said))
            except Refused as error:
                form.refuse(error)
            else:
                messages.success(request, "Saved.")
                return HttpResponseRedirect(reverse("admin:contacts_segment_change", args=[segment.pk]))
        return self._page(request, segment, form, segment.name)

    def _page(self, request: HttpRequest, segment: Segment | None, form: SegmentForm, title: str) -> HttpResponse:
        context = {
            **self._common(request, segment, title),
            "form": form,
            "preview": reverse("admin:contacts_segment_preview"),
            "may_change": segment is None or self.may_change(request),
            "sentence": sentence_of(segment) if segment else "",
        }
        return TemplateResponse(request, "admin/contacts/segment.html", context)

    def members_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        segment = self._segment(request, str(pk))
        if not request.user.has_perm("contacts.view_contact"):
            raise PermissionDenied
        search = request.GET.get("q", "")[:255].replace("\x00", "")
        context = {
            **self._common(request, segment, segment.name, "Members"),
            "search": search,
            "members": members_page(
                "segment", segment.pk, search=search, before=cursor_of(request.GET.get("before", ""))
            ),
            "lately": lately(segment.slug),
        }
        return TemplateResponse(request, "admin/contacts/segment_members.html", context)

    def _common(self, request: HttpRequest, segment: Segment | None, *way: str) -> dict[str, Any]:
        standing = _standings([segment])[segment.slug] if segment else None
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "crumbs": self.crumbs(*way),
            "title": way[0],
            "segment": segment,
            "standing": standing,
            "members_counted": members.counted(standing.members) if standing else "",
            "state": state_of(standing) if standing else "",
            "may_delete": self.may_delete(request),
            "may_see_contacts": request.user.has_perm("contacts.view_contact"),
        }

    def _segment(self, request: HttpRequest, pk: str) -> Segment:
        if not self.has_view_permission(request):
            raise PermissionDenied
        segment = Segment.objects.filter(pk=pk).first() if pk.isascii() and pk.isdigit() and len(pk) < 18 else None
        if segment is None:
            raise Http404("There is no such segment")
        return segment

    # -- deeds ----------------------------------------------------------------------------------------------------

    def remove_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.method != "POST" or not self.may_delete(request):
            raise PermissionDenied
        segment = self._segment(request, str(pk))
        try:
            transactions.run(lambda now: segments.delete(segment.slug))
        except Refused as error:
            messages.error(request, f"Not deleted: it {'; '.join(fault.msg for fault in error.faults)}.")
            return HttpResponseRedirect(reverse("admin:contacts_segment_change", args=[pk]))
        messages.success(request, f"“{segment.name}” is deleted.")
        return HttpResponseRedirect(reverse("admin:contacts_segment_changelist"))

    def check_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """POST: compute the segments afresh, for as long as somebody waits for a page; `repair` puts right what is
        not."""
        if request.method != "POST" or not self.may_change(request):
            raise PermissionDenied
        segment = self._segment(request, str(pk))
        repair = "repair" in request.POST
        found = segment_check.check(segment.slug, repair=repair)
        done = (
            "All contacts were looked at" if found.complete else f"{found.contacts:,} contacts were looked at in time"
        )
        if found.wrong:
            deed = "put right" if repair else "found"
            messages.warning(request, f"{done}: {found.wrong:,} wrong memberships were {deed}.")
        else:
            messages.success(request, f"{done}: every membership is right.")
        return HttpResponseRedirect(reverse("admin:contacts_segment_change", args=[pk]))

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """POST a condition as JSON -> how many people it finds, who for example, and what asking cost."""
        if request.method != "POST" or not self.has_view_permission(request):
            raise PermissionDenied
        try:
            tree = read(request.body)
            found = transactions.run(lambda now: preview.preview(tree, now=now))
        except (NotReadable, Refused) as error:
            return JsonResponse({"refused": str(error)})
        known = names_of(found.sample) if request.user.has_perm("contacts.view_contact") else {}
        return JsonResponse(
            {
                "count": found.count,
                "estimated": found.estimated,
                "total": found.total,
                "ms": found.ms,
                "slow": found.slow,
                "sample": [
                    {"name": known[id], "url": reverse("admin:contacts_contact_change", args=[id])}
                    for id in found.sample
                    if id in known
                ],
            }
        )


def sentence_of(segment: Segment) -> str:
    said = verdict(segment.condition)
    return said["sentence"] or "The condition can no longer be read"


def _standings(rows: Sequence[Segment]) -> dict[str, Standing]:
    return segments.standings([segment.slug for segment in rows], count_to=members.COUNTED + 1)


def state_of(standing: Standing) -> SafeString:
    if standing.state == "live":
        return pill("Live", "good")
    return format_html(
        '{}<progress class="cl-progress" max="1" value="{}" aria-label="How far it is filled"></progress>',
        pill(f"Filling, {standing.progress:.0%}", "info"),
        f"{standing.progress:.3f}",
    )


def _arranged(segment: Segment) -> Any:
    return arranged_deeply(segment.condition) if isinstance(segment.condition, dict) else segment.condition
