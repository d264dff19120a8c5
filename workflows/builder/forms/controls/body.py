"""What a call sends: what is known anyway, or JSON of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from workflows.builder.forms.control import ABSENT, Control, Field
from workflows.builder.forms.controls.json import understood, written


class Body(Control):
    key = "body"
    template = "body.html"
    frame = "group"

    def fits(self, value: Any) -> bool:
        return True

    def context(self, field: Field) -> Mapping[str, Any]:
        own = field.value is not ABSENT and field.value is not None
        return {"own": own, "text": written(field.value) if own else ""}

    def read(self, data: QueryDict, name: str) -> Any:
        text = data.get(name, "").strip()
        return understood(text) if data.get(f"{name}:kind") == "own" and text else ABSENT
