"""Several names, each on a line of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from workflows.builder.forms.control import ABSENT, Control, Field, is_line, nothing


class Words(Control):
    key = "words"
    template = "words.html"

    def fits(self, value: Any) -> bool:
        return nothing(value) or (isinstance(value, list) and all(each and is_line(each) for each in value))

    def context(self, field: Field) -> Mapping[str, Any]:
        return {"text": "" if nothing(field.value) else "\n".join(field.value)}

    def read(self, data: QueryDict, name: str) -> Any:
        lines = [line.strip() for line in data.get(name, "").split("\n")]
        return [line for line in lines if line] or ABSENT
