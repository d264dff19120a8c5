"""The type of an event: one that was seen, or one that will be."""

from __future__ import annotations

from collections.abc import Sequence

from contacts import catalogue
from workflows.builder.forms.picker import MOST, Suggested


class Event(Suggested):
    key = "event"

    def suggestions(self) -> Sequence[tuple[str, str]]:
        return [(each.name, "") for each in catalogue.event_types()[:MOST]]
