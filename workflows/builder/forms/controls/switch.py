"""Yes or no."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict

from workflows.builder.forms.control import Control, nothing


class Switch(Control):
    key = "switch"
    template = "switch.html"
    frame = "inline"

    def fits(self, value: Any) -> bool:
        return nothing(value) or isinstance(value, bool)

    def read(self, data: QueryDict, name: str) -> Any:
        return data.get(name) == "on"
