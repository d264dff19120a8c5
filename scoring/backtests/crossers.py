"""Who would have crossed, who was foretold, who was missed: the rows of a back-test, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

PAGE = 50
MOST_PAGES = 200  # further on, nobody reads: every page costs all before it

_TRIED = "crossed_at IS NOT NULL AND (converted_at IS NULL OR crossed_at < converted_at)"
_ACTIVE = "crossed_at_before IS NOT NULL AND (converted_at IS NULL OR crossed_at_before < converted_at)"
GROUPS = {
    "crossed": _TRIED,
    "foretold": f"{_TRIED} AND converted_at IS NOT NULL",
    "in_vain": f"{_TRIED} AND converted_at IS NULL",
    "missed": f"converted_at IS NOT NULL AND NOT ({_TRIED})",
    "only_tried": f"{_TRIED} AND NOT ({_ACTIVE})",
    "only_active": f"{_ACTIVE} AND NOT ({_TRIED})",
}


@dataclass(frozen=True)
class Crosser:
    """`best`: the highest score under the version that is tried, before the conversion if there was one."""

    contact_id: int
    crossed_at: datetime | None
    active_crossed_at: datetime | None
    converted_at: datetime | None
    best: float


def page(backtest_id: int, *, group: str, number: int = 1) -> tuple[tuple[Crosser, ...], bool]:
    """One of GROUPS, in the order of the crossings (else of the conversions), and whether there are more. One
    statement."""
    offset = (min(max(number, 1), MOST_PAGES) - 1) * PAGE
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT contact_id, crossed_at, crossed_at_before, converted_at, best FROM scoring_backtest_contacts
             WHERE backtest_id = %s AND {GROUPS[group]}
             ORDER BY COALESCE(crossed_at, crossed_at_before, converted_at), id LIMIT %s OFFSET %s
            """,
            [backtest_id, PAGE + 1, offset],
        )
        rows = tuple(Crosser(*row) for row in cursor.fetchall())
    return rows[:PAGE], len(rows) > PAGE and number < MOST_PAGES
