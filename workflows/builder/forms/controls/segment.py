"""One of the segments."""

from __future__ import annotations

from collections.abc import Sequence

from django.urls import reverse

from contacts.models import Segment as Stored
from workflows.builder.forms.control import Field
from workflows.builder.forms.picker import MOST, Option, Picker


class Segment(Picker):
    key = "segment"
    what = "segment"
    new = "New segment"

    def options(self, field: Field) -> Sequence[Option]:
        return [
            Option(each.slug, each.name, each.description, reverse("admin:contacts_segment_change", args=[each.pk]))
            for each in Stored.objects.only("slug", "name", "description").order_by("name", "slug")[:MOST]
        ]

    def new_link(self) -> str:
        return reverse("admin:contacts_segment_add")
