"""Any value as JSON: for what no other control can show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from workflows.builder.forms.control import ABSENT, Control, Field, is_line


class Json(Control):
    key = "json"
    template = "json.html"

    def fits(self, value: Any) -> bool:
        return True

    def context(self, field: Field) -> Mapping[str, Any]:
        return {"text": written(field.value)}

    def read(self, data: QueryDict, name: str) -> Any:
        text = data.get(name, "").strip()
        return understood(text) if text else ABSENT


def written(value: Any) -> str:
    """The JSON of a value; a text that is no JSON as it is, which is how it was written."""
    if value is ABSENT:
        return ""
    if value and is_line(value) and understood(value) is value:
        return value
    return json.dumps(value, ensure_ascii=False, indent=2)


def understood(text: str) -> Any:
    """The value that a JSON text says; the text itself where it says none."""
    try:
        return json.loads(text, parse_constant=_not_json)
    except (ValueError, RecursionError):
        return text


def _not_json(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")
