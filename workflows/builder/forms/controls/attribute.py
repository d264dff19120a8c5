"""An attribute of the contact: one that was seen, or one that will be."""

from __future__ import annotations

from collections.abc import Sequence

from contacts.conditions.catalogue import describe
from workflows.builder.forms.picker import Suggested


class Attribute(Suggested):
    key = "attribute"

    def suggestions(self) -> Sequence[tuple[str, str]]:
        return [(name, kind) for name, kind in seen() if "." not in name]


def seen() -> list[tuple[str, str]]:
    """Attributes of the newest contacts with the types that they had."""
    return [(each["label"], ", ".join(each["types"])) for each in describe()["attributes"]]
