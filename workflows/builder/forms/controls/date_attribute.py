"""An attribute that holds a date or an instant."""

from __future__ import annotations

from collections.abc import Sequence

from workflows.builder.forms.controls.attribute import seen
from workflows.builder.forms.picker import Suggested


class DateAttribute(Suggested):
    key = "date_attribute"

    def suggestions(self) -> Sequence[tuple[str, str]]:
        return [(name, "") for name, kinds in seen() if "instant" in kinds and "." not in name]
