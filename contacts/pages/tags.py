"""Tags, and how many contacts carry each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString

from contacts.models import Tag
from contacts.pages.cells import link
from contacts.pages.changelists import Empty, ReadOnlyAdmin

COUNTED = 10_000


@admin.register(Tag)
class TagAdmin(ReadOnlyAdmin):
    list_display = ("name", "contacts")
    ordering = ("name",)
    search_fields = ("name__istartswith",)
    search_help_text = "How a tag begins"
    empty = Empty("sell", "No tags yet", "A tag comes to be when a journey's step, an import or the API first uses it.")

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT t.id, (SELECT count(*) FROM (SELECT 1 FROM contact_tags c WHERE c.tag_id = t.id LIMIT %s) n)
                  FROM unnest(%s::bigint[]) AS t(id)
                """,
                [COUNTED + 1, [tag.pk for tag in rows]],
            )
            counts = dict(cursor.fetchall())
        for tag in rows:
            tag.shown_count = counts.get(tag.pk, 0)

    @admin.display(description="Contacts")
    def contacts(self, tag: Any) -> SafeString:
        count = tag.shown_count
        text = f"more than {COUNTED:,}" if count > COUNTED else f"{count:,}"
        return link(text, f"{reverse('admin:contacts_contact_changelist')}?tag={tag.pk}")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A tag has nothing to show but its contacts."""
        return HttpResponseRedirect(f"{reverse('admin:contacts_contact_changelist')}?tag={object_id}")
