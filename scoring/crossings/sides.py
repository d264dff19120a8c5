"""`score_sides`: on which side of a threshold a contact was last seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from scoring.rulesets.rules import Ruleset

Place = tuple[int, float]  # a contact and a threshold


@dataclass(frozen=True)
class Side:
    """`seq` counts the crossings, `turned_at` is the instant of the last one; `ruleset_id` the version whose activation
    the side has taken note of (None: of none yet)."""

    above: bool
    seq: int = 0
    turned_at: datetime | None = None
    ruleset_id: int | None = None

    def rearmed_at(self, ruleset: Ruleset) -> datetime | None:
        """Before this instant no turn is told; None: at any time."""
        rest = ruleset.settings.rearm_seconds
        return self.turned_at + timedelta(seconds=rest) if rest and self.turned_at is not None else None


BELOW = Side(above=False)  # who has no side


def read(name: str, contact_ids: Collection[int], thresholds: Collection[float]) -> dict[Place, Side]:
    """The sides of a score; who has none is left out. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT contact_id, threshold, above, seq, turned_at, ruleset_id FROM score_sides"
            " WHERE contact_id = ANY(%s) AND score_name = %s AND threshold = ANY(%s)",
            [list(contact_ids), name, list(thresholds)],
        )
        return {(contact_id, threshold): Side(*more) for contact_id, threshold, *more in cursor.fetchall()}


def carried(
    known: Mapping[Place, Side], threshold: float, before: Collection[float], *, order: Callable[[int | None], int]
) -> dict[Place, Side]:
    """A score's own threshold is one line, wherever the versions draw it: who stood above it stands above it when a new
    version moves it, until their score says otherwise, and has not crossed it. So where the last that is known of a
    contact is their side of the threshold `before`, it is their side of this one, with the number of crossings of this.

    `order` says how late a version is. Not for a threshold that somebody else watches: its sides are kept all along."""
    latest: dict[int, tuple[tuple[int, bool], Side]] = {}
    for (contact_id, at), side in known.items():
        if at == threshold or at in before:
            rank = (order(side.ruleset_id), at == threshold)
            if contact_id not in latest or rank > latest[contact_id][0]:
                latest[contact_id] = (rank, side)
    return {
        (contact_id, threshold): replace(side, seq=known.get((contact_id, threshold), BELOW).seq)
        for contact_id, ((_, is_own), side) in latest.items()
        if not is_own
    }


def write(name: str, found: Mapping[Place, Side]) -> None:
    """Remember them. The contacts are locked. One statement, or none."""
    if not found:
        return
    rows = sorted(found.items())
    columns: list[list[Any]] = [
        [contact_id for (contact_id, _), _ in rows],
        [threshold for (_, threshold), _ in rows],
        [side.above for _, side in rows],
        [side.seq for _, side in rows],
        [side.turned_at for _, side in rows],
        [side.ruleset_id for _, side in rows],
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO score_sides (contact_id, score_name, threshold, above, seq, turned_at, ruleset_id)
            SELECT x.contact_id, %s, x.threshold, x.above, x.seq, x.turned_at, x.ruleset_id
              FROM unnest(%s::bigint[], %s::float8[], %s::boolean[], %s::integer[], %s::timestamptz[], %s::bigint[])
                   AS x(contact_id, threshold, above, seq, turned_at, ruleset_id)
            ON CONFLICT (contact_id, score_name, threshold) DO UPDATE SET
                above = EXCLUDED.above, seq = EXCLUDED.seq, turned_at = EXCLUDED.turned_at,
                ruleset_id = EXCLUDED.ruleset_id
            """,
            [name, *columns],
        )
