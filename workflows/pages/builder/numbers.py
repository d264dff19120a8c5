"""Numbers as they stand on the cards of a map, live, of results or of a rehearsal. Pure but for the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.template.loader import get_template
from django.utils.safestring import SafeString

LONGEST = 100_000  # as much fits on a card in full


@dataclass(frozen=True)
class Number:
    """`name` tells it from the others of its card. `link`: exactly the people, or messages, that it counts."""

    name: str
    count: int
    words: str
    link: str = ""

    @property
    def shown(self) -> str:
        return short(self.count)

    @property
    def exact(self) -> str:
        return f"{self.count:,}"


Rows = Sequence[Sequence[Number]]


def short(count: int) -> str:
    """1,234 · 123k · 1.2M"""
    if abs(count) < LONGEST:
        return f"{count:,}"
    if abs(count) < 999_500:
        return f"{count / 1000:,.0f}k"
    return f"{count / 1_000_000:,.1f}M"


def percent(part: int, whole: int) -> str:
    """`62%`, and no hundred and no nought that is not one; empty of nothing."""
    if whole <= 0:
        return ""
    if 0 < part * 200 < whole:
        return "<1%"
    if whole * 199 < part * 200 < whole * 200:
        return ">99%"
    return f"{100 * part / whole:.0f}%"


def drawn(cards: Mapping[str, Rows]) -> dict[str, SafeString]:
    """Each card's numbers as HTML, by its key."""
    template = get_template("admin/workflows/builder/numbers.html")
    return {key: SafeString(template.render({"rows": rows})) for key, rows in cards.items()}
