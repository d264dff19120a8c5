"""Tags: how many contacts carry each, who they are, and taking one away again."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString

from contacts import transactions
from contacts.audiences import tags
from contacts.audiences.naming import Refused
from contacts.audiences.tags import Tagging
from contacts.models import ContactTag, Tag
from contacts.pages.cells import link
from contacts.pages.changelists import Empty, ReadOnlyAdmin
from contacts.pages.floors import Sample
from contacts.pages.members import counted, counts, cursor_of, members_page
from contacts.upserting import name_fault

SOURCE = "admin"
TAKEN_AT_ONCE = 2_000
PATIENCE = 15.0  # seconds that somebody waits for a page


@admin.register(Tag)
class TagAdmin(ReadOnlyAdmin):
    list_display = ("name", "contacts")
    ordering = ("name",)
    search_fields = ("name__istartswith",)
    search_help_text = "How a tag begins"
    empty = Empty(
        "sell",
        "No tags yet",
        "A tag comes to be when a journey's step, an import or the API first uses it.",
        deed=Sample("Import a file", "admin:contacts_importrun_add", "contacts.import_contacts"),
        sample="gallery",
    )

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        found = counts("tag", [tag.pk for tag in rows])
        for tag in rows:
            tag.shown_count = found[tag.pk]

    @admin.display(description="Contacts")
    def contacts(self, tag: Any) -> SafeString:
        return link(counted(tag.shown_count), f"{reverse('admin:contacts_contact_changelist')}?tag={tag.pk}")

    def get_urls(self) -> list[Any]:
        take = self.admin_site.admin_view(self.take_view)
        rename = self.admin_site.admin_view(self.rename_view)
        return [
            path("<int:pk>/take/", take, name="contacts_tag_take"),
            path("<int:pk>/rename/", rename, name="contacts_tag_rename"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Who has it."""
        tag = self._tag(request, object_id)
        search = request.GET.get("q", "")[:255].replace("\x00", "")
        before = cursor_of(request.GET.get("before", ""))
        may_look = request.user.has_perm("contacts.view_contact")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "crumbs": self.crumbs(tag.name),
            "title": tag.name,
            "tag": tag,
            "count": counted(counts("tag", [tag.pk])[tag.pk]),
            "search": search,
            "members": members_page("tag", tag.pk, search=search, before=before) if may_look else None,
            "may_take": self._may_take(request),
            "remove": reverse("admin:contacts_tag_take", args=[tag.pk]) if self._may_take(request) else "",
        }
        return TemplateResponse(request, "admin/contacts/tag.html", context)

    def rename_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """POST `name`: call the tag so; if there is such a tag already, the two become one."""
        if request.method != "POST" or not self._may_take(request):
            raise PermissionDenied
        tag = self._tag(request, str(pk))
        here = reverse("admin:contacts_tag_change", args=[pk])
        name = request.POST.get("name", "").strip()
        if wrong := name_fault(name):
            messages.error(request, f"Not renamed: a tag {wrong.msg}.")
            return HttpResponseRedirect(here)
        try:
            number = transactions.run(lambda now: tags.rename(tag.name, name, source=SOURCE, now=now))
        except Refused as error:
            messages.error(request, f"Not renamed: it {'; '.join(fault.msg for fault in error.faults)}.")
            return HttpResponseRedirect(here)
        except LookupError as error:  # somebody else was faster
            raise Http404("There is no such tag") from error
        messages.success(
            request, f"“{tag.name}” is “{name}” now: {number:,} {'contact' if number == 1 else 'contacts'}."
        )
        return HttpResponseRedirect(reverse("admin:contacts_tag_change", args=[Tag.objects.get(name=name).pk]))

    def take_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """POST `contact`: take the tag from one; without, from everybody, and forget it."""
        if request.method != "POST" or not self._may_take(request):
            raise PermissionDenied
        tag = self._tag(request, str(pk))
        contact_id = cursor_of(request.POST.get("contact", ""))
        if contact_id:
            taking = [Tagging(contact_id, tag.name, SOURCE)]
            if transactions.run(lambda now: tags.remove_tags(taking, now=now)):
                messages.success(request, "The tag is removed.")
            return HttpResponseRedirect(reverse("admin:contacts_tag_change", args=[pk]))
        taken, rest = _take_from_everybody(tag)
        if rest:
            messages.warning(request, f"{taken:,} contacts have lost “{tag.name}”; others still have it. Go on?")
            return HttpResponseRedirect(reverse("admin:contacts_tag_change", args=[pk]))
        messages.success(request, f"“{tag.name}” is gone; {taken:,} contacts had it.")
        return HttpResponseRedirect(reverse("admin:contacts_tag_changelist"))

    def _may_take(self, request: HttpRequest) -> bool:
        return request.user.has_perm("contacts.delete_tag") and request.user.has_perm("contacts.change_contact")

    def _tag(self, request: HttpRequest, pk: str) -> Tag:
        if not self.has_view_permission(request):
            raise PermissionDenied
        tag = Tag.objects.filter(pk=pk).first() if cursor_of(pk) else None
        if tag is None:
            raise Http404("There is no such tag")
        return tag


def _take_from_everybody(tag: Tag) -> tuple[int, bool]:
    """How many lost it, and whether any still have it. Each portion is a transaction of its own; with the last one the
    tag goes."""
    until, taken = time.monotonic() + PATIENCE, 0

    def portion(now: datetime) -> int:
        having = list(ContactTag.objects.filter(tag=tag).values_list("contact_id", flat=True)[:TAKEN_AT_ONCE])
        if not having:
            tags.delete(tag.name, source=SOURCE, now=now, lost_before=taken)
        return len(tags.remove_tags([Tagging(each, tag.name, SOURCE) for each in having], now=now, lane="bulk"))

    while time.monotonic() < until:
        now_taken = transactions.run(portion)
        if not now_taken:
            return taken, False
        taken += now_taken
    return taken, True
