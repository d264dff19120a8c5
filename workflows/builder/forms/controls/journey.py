"""Another journey."""

from __future__ import annotations

from collections.abc import Sequence

from django.urls import reverse

from workflows.builder.forms.control import Field
from workflows.builder.forms.picker import MOST, Option, Picker
from workflows.models import Workflow

_NOTES = {
    "draft": "It is not live yet: until it is, nobody is sent into it.",
    "paused": "It is paused: nobody enters it until it is resumed.",
    "live": "",
}


class Journey(Picker):
    key = "journey"
    what = "journey"

    def options(self, field: Field) -> Sequence[Option]:
        found = Workflow.objects.exclude(status="archived").only("slug", "name", "status").order_by("name", "slug")
        return [
            Option(each.slug, each.name, _NOTES[each.status], reverse("admin:workflows_workflow_map", args=[each.pk]))
            for each in found[:MOST]
        ]
