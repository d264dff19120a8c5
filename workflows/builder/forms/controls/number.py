"""A number."""

from __future__ import annotations

import math
import re
from typing import Any

from django.http import QueryDict

from workflows.builder.forms.control import ABSENT, Control, nothing

_WHOLE = re.compile(r"-?[0-9]{1,300}")
_BROKEN = re.compile(r"-?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]{1,3})?")
_EXACT = 2**53  # what browsers count with ends here


class Number(Control):
    key = "number"
    template = "number.html"

    def fits(self, value: Any) -> bool:
        return nothing(value) or is_number(value)

    def read(self, data: QueryDict, name: str) -> Any:
        text = data.get(name, "").strip()
        return number_of(text) if text else ABSENT


def is_number(value: Any) -> bool:
    """One that a browser's line for numbers gives back as it is."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _EXACT


def number_of(text: str) -> Any:
    """The number that a text says; the text itself where it says none."""
    if _WHOLE.fullmatch(text):
        return int(text)
    if _BROKEN.fullmatch(text) and math.isfinite(found := float(text)):
        return found
    return text
