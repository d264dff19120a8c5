"""The figures of a CRM's files, worked out one lead at a time: as somebody with a pencil would, not as the marts do."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from django.conf import settings

CRM = settings.BASE_DIR.parent / "shared" / "data" / "crm"
LOOK_BACK = timedelta(days=90)
HALF_LIFE = 7
MODELS = ("first", "last", "linear", "position", "time_decay")


def rows(name: str, folder: Path = CRM) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@dataclass
class Lead:
    known: date
    touches: list[tuple[date, str]] = field(default_factory=list)
    opportunity: date | None = None
    won: date | None = None
    amount: int = 0
    deeds: set[date] = field(default_factory=set)

    def path(self) -> list[tuple[date, str]]:
        """The touches that have a part in the conversion, in their order."""
        assert self.won is not None
        mine = [touch for touch in self.touches if self.won - LOOK_BACK < touch[0] <= self.won]
        return sorted(mine, key=lambda touch: touch[0])  # stable: of one day, as they stand in the file


def leads() -> dict[str, Lead]:
    found = {row["lead_id"]: Lead(date.fromisoformat(row["lead_created_at"])) for row in rows("leads.csv")}
    for lead in found.values():
        lead.deeds.add(lead.known)
    for row in rows("touches.csv"):
        day = date.fromisoformat(row["touch_timestamp"])
        found[row["lead_id"]].touches.append((day, row["touch_type"]))
        found[row["lead_id"]].deeds.add(day)
    for row in rows("opportunities.csv"):
        lead = found[row["lead_id"]]
        lead.opportunity = date.fromisoformat(row["created_at"])
        lead.deeds.add(lead.opportunity)
        if row["close_outcome"]:
            closed = date.fromisoformat(row["closed_at"])
            lead.deeds.add(closed)
            if row["close_outcome"] == "closed_won":
                lead.won, lead.amount = closed, int(row["estimated_acv"])
    return found


def weights(model: str, days_before: Sequence[int]) -> list[float]:
    """Of each touch of one conversion; `days_before` are how long before it they were, the first touch first."""
    count = len(days_before)
    if model == "first":
        return [1.0] + [0.0] * (count - 1)
    if model == "last":
        return [0.0] * (count - 1) + [1.0]
    if model == "linear":
        return [1 / count] * count
    if model == "position":
        if count < 3:
            return [1 / count] * count
        return [0.4] + [0.2 / (count - 2)] * (count - 2) + [0.4]
    fresh = [0.5 ** (days / HALF_LIFE) for days in days_before]
    return [each / sum(fresh) for each in fresh]


def by_touch_type(model: str) -> dict[str, tuple[float, float]]:
    """Touch type -> (conversions, revenue)."""
    found: dict[str, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
    for lead in won():
        path = lead.path()
        shares = weights(model, [(lead.won - day).days for day, _ in path]) if path else [1.0]
        for kind, share in zip([kind for _, kind in path] or ["direct"], shares, strict=True):
            if share:
                found[kind] = (found[kind][0] + share, found[kind][1] + share * lead.amount)
    return dict(found)


def won() -> Iterator[Lead]:
    return (lead for lead in leads().values() if lead.won)


def percentile(days: Sequence[float], share: float) -> float:
    """Between the two neighbours, in proportion."""
    ordered = sorted(days)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
