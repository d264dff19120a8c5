"""Delays and queues as people read them."""

from __future__ import annotations

import math
from typing import Any

from django import template

register = template.Library()


@register.filter
def took(seconds: float | None) -> str:
    """`0.042` -> `42 ms`, `1.5` -> `1.5 s`, `90` -> `1.5 min`."""
    if seconds is None:
        return "–"
    if math.isinf(seconds):
        return "over 1 h"
    for size, unit in ((3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            return f"{seconds / size:.2g} {unit}" if seconds / size < 10 else f"{seconds / size:.0f} {unit}"
    return f"{seconds * 1000:.0f} ms"


@register.filter
def share_of(part: int, whole: int) -> str:
    """The width of a bar in hundredths; what is there at all is seen."""
    return f"{max(1.5, 100 * part / whole):.1f}" if part and whole else "0"


@register.filter
def percent_of_all(rate: Any) -> str:
    """`0.9987` -> `99.87%`: never rounded up to all."""
    if rate is None:
        return "–"
    hundredths = int(rate * 10_000) / 100
    return f"{hundredths:g}%"


@register.filter
def rounded(number: int) -> str:
    """`1234567` -> `1.2 M`: for estimates."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1000, "k")):
        if number >= size:
            return f"{number / size:.1f} {unit}" if number < 10 * size else f"{number / size:.0f} {unit}"
    return str(number)
