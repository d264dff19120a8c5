"""One of the lists."""

from __future__ import annotations

from collections.abc import Sequence

from django.urls import reverse

from contacts.models import List as Stored
from workflows.builder.forms.control import Field
from workflows.builder.forms.picker import MOST, Option, Picker


class List(Picker):
    key = "list"
    what = "list"
    new = "New list"

    def options(self, field: Field) -> Sequence[Option]:
        return [
            Option(each.slug, each.name, each.description, reverse("admin:contacts_list_change", args=[each.pk]))
            for each in Stored.objects.order_by("name", "slug")[:MOST]
        ]

    def new_link(self) -> str:
        return reverse("admin:contacts_list_add")
