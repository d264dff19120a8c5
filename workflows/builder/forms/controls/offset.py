"""So long before or after a date (-P3D: three days before)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from workflows.builder.forms.control import ABSENT, Field, nothing
from workflows.builder.forms.controls.duration import iso, parts_of
from workflows.builder.forms.controls.period import Period
from workflows.builder.forms.rows import sent


class Offset(Period):
    key = "offset"
    template = "offset.html"

    def fits(self, value: Any) -> bool:
        return nothing(value) or (isinstance(value, str) and super().fits(self.length(value)) and value != "-")

    def length(self, value: str) -> str:
        return value.removeprefix("-")

    def context(self, field: Field) -> Mapping[str, Any]:
        before = isinstance(field.value, str) and field.value.startswith("-")
        return {**super().context(field), "side": "before" if before else "after"}

    def read(self, data: QueryDict, name: str) -> Any:
        length = iso((row["amount"].strip(), row.get("unit", "")) for row in sent(data, name, "amount"))
        sign = "-" if data.get(f"{name}:side") == "before" and parts_of(length) else ""
        return f"{sign}{length}" or ABSENT
