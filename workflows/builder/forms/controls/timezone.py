"""A time zone by its name."""

from __future__ import annotations

from collections.abc import Sequence

from contacts import zones
from workflows.builder.forms.picker import Suggested


class Timezone(Suggested):
    key = "timezone"

    def suggestions(self) -> Sequence[tuple[str, str]]:
        return [(name, "") for name in sorted(zones.known())]
