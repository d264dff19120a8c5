"""Names with texts: the headers of a call."""

from __future__ import annotations

from typing import Any

from workflows.builder.forms.controls.pairs import KINDS, Pairs


class Headers(Pairs):
    key = "headers"
    named = "Header"
    kinds = KINDS[:1]

    def fits_value(self, value: Any) -> bool:
        return isinstance(value, str) and "\r" not in value and "\0" not in value
