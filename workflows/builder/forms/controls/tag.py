"""A tag: one that there is, or a new one."""

from __future__ import annotations

from collections.abc import Sequence

from contacts.models import Tag as Stored
from workflows.builder.forms.picker import MOST, Suggested


class Tag(Suggested):
    key = "tag"

    def suggestions(self) -> Sequence[tuple[str, str]]:
        return [(name, "") for name in Stored.objects.order_by("name").values_list("name", flat=True)[:MOST]]
