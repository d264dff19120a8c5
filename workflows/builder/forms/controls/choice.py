"""One of several words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows.builder.forms.control import ABSENT, Control, Field


class Choice(Control):
    key = "choice"
    template = "choice.html"

    def context(self, field: Field) -> Mapping[str, Any]:
        """What is stored and is none of the words is one of them here: it stays until something else is chosen."""
        words = [word for word, _ in field.choices]
        value = "" if field.value is ABSENT or field.value is None else field.value
        return {"unknown": bool(value) and value not in words, "unchosen": not value and "" not in words}
