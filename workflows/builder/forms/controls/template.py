"""A template of the step's channel that can be sent."""

from __future__ import annotations

from collections.abc import Sequence

from django.urls import reverse

from delivery.models import Template as Stored
from workflows.builder.forms.control import Field
from workflows.builder.forms.picker import MOST, Option, Picker

_NOTED = 160  # characters of a text that has no subject


class Template(Picker):
    key = "template"
    what = "template"
    new = "New template"

    def options(self, field: Field) -> Sequence[Option]:
        found = Stored.objects.filter(kind="message", live_version__isnull=False)
        if field.shown.channel:
            found = found.filter(channel=field.shown.channel)
        rows = found.order_by("name", "slug").values_list(
            "pk", "slug", "name", "live_version__subject", "live_version__text"
        )
        return [
            Option(slug, name, _note(subject, text), reverse("admin:delivery_template_change", args=[pk]))
            for pk, slug, name, subject, text in rows[:MOST]
        ]

    def new_link(self) -> str:
        return reverse("admin:delivery_template_add")


def _note(subject: str, text: str) -> str:
    return f"Subject: {subject}" if subject else " ".join(text.split())[:_NOTED]
