"""Why scores are what they are, in short and for many contacts at once: the strongest rules of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from contacts.conditions import Sql
from scoring.projection import compiler
from scoring.rulesets import reading, wording
from scoring.rulesets.arithmetic import rules_of
from scoring.rulesets.rules import LEAD, Rule, Ruleset

MOST = 5


@dataclass(frozen=True)
class Reason:
    """What one rule gives, within its cap, and from how many events (0: from what is known of the contact)."""

    rule: str
    points: float
    event_count: int


@dataclass(frozen=True)
class Reasons:
    """The score, and the rules that give or take most of it, the strongest first."""

    score: float
    strongest: tuple[Reason, ...]


def of(contact_ids: Collection[int], *, at: datetime, name: str = LEAD, limit: int = MOST) -> dict[int, Reasons]:
    """For each contact at most `limit` reasons; ids that are nobody's are left out. Without an active ruleset everybody
    has 0 and no reason. Two statements for any number of contacts."""
    ruleset = reading.active_ruleset(name)
    if ruleset is None:
        return {contact_id: Reasons(0.0, ()) for contact_id in contact_ids}
    return under(ruleset, contact_ids, at=at, limit=limit)


def under(ruleset: Ruleset, contact_ids: Collection[int], *, at: datetime, limit: int = MOST) -> dict[int, Reasons]:
    """The same under rules that the caller holds. One statement."""
    rules = rules_of(ruleset)
    points = compiler.points(ruleset, at=at, contact="c")
    counts = [
        Sql("0" if rule.condition is not None else f"{compiler.SUMS}.n{position}", [])
        for position, rule in enumerate(rules)
    ]
    picked = [compiler.total(ruleset, points), *(compiler.rounded([each]) for each in points), *counts]
    sums = compiler.aggregate(ruleset, at=at, contact="c", until=at, columns=_faded_and_counted)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.id, {', '.join(part.text for part in picked)} "
            f"FROM contacts c CROSS JOIN LATERAL ({sums.text}) {compiler.SUMS} WHERE c.id = ANY(%s)",
            [*(param for part in picked for param in part.params), *sums.params, sorted(contact_ids)],
        )
        return {
            contact_id: Reasons(score, _strongest(rules, weights_of(ruleset), figures, limit))
            for contact_id, score, *figures in cursor.fetchall()
        }


def weights_of(ruleset: Ruleset) -> list[float]:
    """How often a point of each rule counts, by the positions of `rules_of`: those of a part as its weight says."""
    parts = [weight for part in ruleset.parts for weight in [part.weight] * len(part.ruleset.rules)]
    return [*[1.0] * len(ruleset.rules), *parts]


def told(found: Reasons) -> str:
    """`Visited pricing (2 times, +28.4); Director (+20)`."""
    return "; ".join(_told(reason) for reason in found.strongest)


def _told(reason: Reason) -> str:
    points = wording.signed(round(reason.points, 1))
    if not reason.event_count:
        return f"{reason.rule} ({points})"
    times = "once" if reason.event_count == 1 else f"{reason.event_count:,} times"
    return f"{reason.rule} ({times}, {points})"


def _faded_and_counted(rule: Rule) -> tuple[compiler.Column, ...]:
    return (*compiler.faded(rule), compiler.giving(rule))


def _strongest(
    rules: Sequence[Rule], weights: Sequence[float], figures: Sequence[Any], limit: int
) -> tuple[Reason, ...]:
    found = [
        Reason(rule.name, points * weight, count)
        for rule, weight, points, count in zip(
            rules, weights, figures[: len(rules)], figures[len(rules) :], strict=True
        )
        if points
    ]
    return tuple(sorted(found, key=lambda reason: -abs(reason.points))[:limit])
