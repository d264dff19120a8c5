"""Lists: people put together by hand, with a place to paste many at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString
from django.utils.text import slugify
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from contacts import identifiers, transactions
from contacts.audiences import lists
from contacts.audiences.lists import Place
from contacts.audiences.naming import LONGEST_NAME, Refused
from contacts.models import List
from contacts.pages.cells import link, moment, stacked
from contacts.pages.changelists import Empty, ReadOnlyAdmin
from contacts.pages.members import counted, counts, cursor_of, members_page

MOST_PASTED = 5_000  # names at once; a file is for more
SHOWN_UNKNOWN = 10
SOURCE = "admin"
PASTED_KINDS = ("email", "external_id")
_BETWEEN = re.compile(r"[\s,;]+")


class ListForm(forms.Form):
    name = forms.CharField(max_length=LONGEST_NAME, widget=UnfoldAdminTextInputWidget)
    slug = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="What conditions, journeys and the API call it, for ever. Left empty, it is made of the name.",
    )
    description = forms.CharField(required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))

    def refuse(self, error: Refused) -> None:
        for fault in error.faults:
            place = str(fault.loc[0]) if fault.loc else ""
            self.add_error(place if place in self.fields else None, fault.msg)


@admin.register(List)
class ListAdmin(ReadOnlyAdmin):
    list_display = ("title", "members", "made")
    list_display_links = ("title",)
    ordering = ("name", "slug")
    search_fields = ("name__icontains", "slug__istartswith")
    search_help_text = "A word of the name, or how the slug begins"
    empty = Empty(
        "list_alt",
        "No lists yet",
        "A list holds whom you put into it: by hand, from a file, by a journey's step or over the API.",
        sample="gallery",
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("contacts.add_list")

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        found = counts("list", [row.pk for row in rows])
        for row in rows:
            row.shown_count = found[row.pk]

    @admin.display(description="List")
    def title(self, row: List) -> SafeString:
        return stacked(row.name, row.slug)

    @admin.display(description="Members")
    def members(self, row: Any) -> SafeString:
        return link(counted(row.shown_count), _page_of(row.pk))

    @admin.display(description="Made")
    def made(self, row: List) -> SafeString:
        return moment(row.created_at)

    # -- pages ----------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/members/", wrap(self.members_view), name="contacts_list_members"),
            path("<int:pk>/delete/", wrap(self.remove_view), name="contacts_list_delete"),
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ListForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            said = form.cleaned_data
            slug = said["slug"] or slugify(said["name"])
            try:
                pk = transactions.run(
                    lambda now: lists.create(slug=slug, name=said["name"], description=said["description"], now=now)
                )
            except Refused as error:
                form.refuse(error)
            else:
                messages.success(request, f"“{said['name']}” is made.")
                return HttpResponseRedirect(_page_of(pk))
        context = {**self._common(request, "New list"), "form": form}
        return TemplateResponse(request, "admin/contacts/list_new.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self._list(request, object_id)
        form = ListForm(request.POST or None, initial={"name": row.name, "description": row.description})
        del form.fields["slug"]
        if request.method == "POST":
            self._must(request, "change")
            if form.is_valid():
                try:
                    transactions.run(lambda now: lists.change(row.slug, **form.cleaned_data))
                except Refused as error:
                    form.refuse(error)
                else:
                    messages.success(request, "Saved.")
                    return HttpResponseRedirect(_page_of(row.pk))
        may_look = request.user.has_perm("contacts.view_contact")
        search = request.GET.get("q", "")[:255].replace("\x00", "")
        before = cursor_of(request.GET.get("before", ""))
        context = {
            **self._common(request, row.name),
            "list": row,
            "form": form,
            "count": counted(counts("list", [row.pk])[row.pk]),
            "may_change": request.user.has_perm("contacts.change_list"),
            "may_delete": request.user.has_perm("contacts.delete_list"),
            "search": search,
            "members": members_page("list", row.pk, search=search, before=before) if may_look else None,
            "remove": reverse("admin:contacts_list_members", args=[row.pk]),
            "most": MOST_PASTED,
        }
        return TemplateResponse(request, "admin/contacts/list.html", context)

    def members_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """POST `pasted` (names of people, with anything between them) or `contact` (an id, to take out)."""
        if request.method != "POST":
            raise PermissionDenied
        row = self._list(request, str(pk))
        self._must(request, "change")
        leaver = request.POST.get("contact", "")
        if cursor_of(leaver):
            place = Place(cursor_of(leaver), row.slug, SOURCE)
            if transactions.run(lambda now: lists.leave([place], now=now)):
                messages.success(request, "Taken out of the list.")
        else:
            self._put_in(request, row, request.POST.get("pasted", ""))
        return HttpResponseRedirect(_page_of(pk))

    def _put_in(self, request: HttpRequest, row: List, pasted: str) -> None:
        names = list(dict.fromkeys(name for name in _BETWEEN.split(pasted.replace("\x00", " ")) if name))
        if len(names) > MOST_PASTED:
            messages.error(request, f"At most {MOST_PASTED:,} names at once; import a file for more.")
            return

        def work(now: datetime) -> tuple[int, int, list[str]]:
            meant = _meant(names)
            joined = lists.join([Place(each, row.slug, SOURCE) for each in sorted(set(meant.values()))], now=now)
            return len(joined), len(set(meant.values())), [name for name in names if name not in meant]

        joined, known, unknown = transactions.run(work)
        if joined:
            messages.success(request, f"{joined:,} put into the list.")
        if known > joined:
            messages.info(request, f"{known - joined:,} were in it already.")
        if unknown:
            more = f" and {len(unknown) - SHOWN_UNKNOWN:,} more" if len(unknown) > SHOWN_UNKNOWN else ""
            messages.warning(request, f"Nobody is called {', '.join(unknown[:SHOWN_UNKNOWN])}{more}.")
        if not names:
            messages.warning(request, "Paste email addresses or external ids first.")

    def remove_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.method != "POST":
            raise PermissionDenied
        row = self._list(request, str(pk))
        self._must(request, "delete")
        try:
            left = transactions.run(lambda now: lists.delete(row.slug, source=SOURCE, now=now))
        except Refused as error:
            messages.error(request, f"Not deleted: it {'; '.join(fault.msg for fault in error.faults)}.")
            return HttpResponseRedirect(_page_of(pk))
        messages.success(request, f"“{row.name}” is deleted; {left:,} left it.")
        return HttpResponseRedirect(reverse("admin:contacts_list_changelist"))

    def _common(self, request: HttpRequest, title: str) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "crumbs": self.crumbs(title),
            "title": title,
        }

    def _list(self, request: HttpRequest, pk: str) -> List:
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = List.objects.filter(pk=pk).first() if cursor_of(pk) else None
        if row is None:
            raise Http404("There is no such list")
        return row

    def _must(self, request: HttpRequest, deed: str) -> None:
        if not request.user.has_perm(f"contacts.{deed}_list"):
            raise PermissionDenied


def _page_of(pk: int) -> str:
    return reverse("admin:contacts_list_change", args=[pk])


def _meant(names: Sequence[str]) -> dict[str, int]:
    """Name -> contact, of those who are known by it: an email address, or an external id. One statement."""
    pairs = [(name, kind, identifiers.canonical(kind, name)) for name in names for kind in PASTED_KINDS]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT ON (asked.name) asked.name, c.id
              FROM unnest(%s::text[], %s::text[], %s::text[]) AS asked(name, kind, value)
              JOIN contact_identities i ON i.kind = asked.kind AND i.value = asked.value
              JOIN contacts c ON c.id = i.contact_id AND c.merged_into_id IS NULL AND c.erased_at IS NULL
             ORDER BY asked.name, asked.kind
            """,
            [list(column) for column in zip(*pairs, strict=True)] if pairs else [[], [], []],
        )
        return dict(cursor.fetchall())
