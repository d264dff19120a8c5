"""The places of a leaderboard: who, with how many points, why, and how that changed within a week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from contacts.conditions import Condition, parse
from contacts.models import Contact
from contacts.patience import TookTooLong
from scoring.lifecycle import stages
from scoring.projection import leaderboard, reasons, scores
from scoring.projection.leaderboard import Distribution
from scoring.rulesets.rules import Ruleset

MOST = 100  # places shown
PATIENCE_MS = 20_000
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Wish:
    """Which score, of whom (empty: of everybody), and when."""

    name: str
    stage: str
    segment: str
    at: datetime
    is_now: bool
    problem: str = ""

    @property
    def is_of_some(self) -> bool:
        return bool(self.stage or self.segment)


@dataclass(frozen=True)
class Place:
    """`change` is what the score gained since a week before."""

    rank: int
    contact: Contact
    score: float
    stage: str
    reason: str
    change: float


def of(ruleset: Ruleset, wish: Wish) -> tuple[Place, ...] | None:
    """The first MOST places of those who have points; None where it takes longer than somebody would wait. A constant
    number of statements."""
    try:
        rows = leaderboard.top(ruleset=ruleset, at=wish.at, limit=MOST, among=_among(wish), patience_ms=PATIENCE_MS)
    except TookTooLong:
        return None
    found = [row for row in rows if row.score > 0]
    ids = [row.contact_id for row in found]
    contacts = Contact.objects.in_bulk(ids)
    standing = stages.current_stages(ids)
    why = reasons.under(ruleset, ids, at=wish.at, limit=1)
    before = scores.under(ruleset, contact_ids=ids, at=wish.at - WEEK / settings.TIME_SPEED)
    return tuple(
        Place(
            rank,
            contacts[row.contact_id],
            row.score,
            standing.get(row.contact_id, ""),
            reasons.told(why[row.contact_id]),
            row.score - before[row.contact_id],
        )
        for rank, row in enumerate(found, 1)
    )


def _among(wish: Wish) -> Condition | None:
    tests: list[dict[str, str]] = []
    if wish.stage:
        tests.append({"field": "lifecycle_stage", "op": "eq", "value": wish.stage})
    if wish.segment:
        tests.append({"in_segment": wish.segment})
    return parse({"all": tests}) if tests else None


def spread(ruleset: Ruleset, wish: Wish) -> Distribution | None:
    """How everybody's scores are spread at that time; None where it takes too long."""
    try:
        return leaderboard.distribution(ruleset=ruleset, at=wish.at, patience_ms=PATIENCE_MS)
    except TookTooLong:
        return None
