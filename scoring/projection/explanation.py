"""Why a score is what it is: rule by rule, event by event, at any instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from contacts.conditions import Sql
from contacts.conditions.fragment import fill, join
from scoring.projection import compiler
from scoring.rulesets import reading
from scoring.rulesets.decay import remaining
from scoring.rulesets.rules import LEAD, Rule, Ruleset

EVENTS_SHOWN = 50  # of each rule, newest first


@dataclass(frozen=True)
class ScoredEvent:
    """`raw` is what the event was worth when it was fresh, `decayed` what is left of it (before the rule's cap)."""

    event_id: int
    type: str
    occurred_at: datetime
    raw: float
    decayed: float


@dataclass(frozen=True)
class RuleShare:
    """What one rule contributes. `raw` is the sum without decay and cap, `decayed` the sum without cap, `points` what
    counts. `events` holds the newest ones, at most EVENTS_SHOWN; `event_count` says how many there are."""

    name: str
    signal: Mapping[str, Any]
    decay: Mapping[str, Any]
    cap: float | None
    raw: float
    decayed: float
    points: float
    capped: bool
    event_count: int
    events: tuple[ScoredEvent, ...]


@dataclass(frozen=True)
class Explanation:
    """`score` equals the sum of `points` over `rules`, but for the rounding of each to 6 decimals. `ruleset` is e.g.
    "lead v3", empty when no ruleset is active."""

    score: float
    at: datetime
    ruleset: str
    mql_threshold: float | None
    rules: tuple[RuleShare, ...]


def explain(contact_id: int, at: datetime, name: str = LEAD) -> Explanation:
    """The score of a contact at `at`, taken apart. Three statements. Raises LookupError if there is no such contact."""
    ruleset = reading.active_ruleset(name)
    if ruleset is None:
        return Explanation(score=0.0, at=at, ruleset="", mql_threshold=None, rules=())
    score, *figures = _figures(ruleset, contact_id, at)
    events = _events(ruleset, contact_id, at)
    shares = []
    for position, rule in enumerate(ruleset.rules):
        points, decayed, count = figures[position * 3 : position * 3 + 3]
        shares.append(
            RuleShare(
                name=rule.name,
                signal=rule.signal,
                decay=rule.fading,
                cap=rule.cap,
                raw=decayed if rule.condition is not None else rule.points * count,
                decayed=decayed,
                points=points,
                capped=points != decayed,
                event_count=count,
                events=tuple(events.get(position, ())),
            )
        )
    return Explanation(
        score=score, at=at, ruleset=ruleset.label, mql_threshold=ruleset.mql_threshold, rules=tuple(shares)
    )


def _figures(ruleset: Ruleset, contact_id: int, at: datetime) -> tuple[Any, ...]:
    """The score, and for each rule its points, the same without the cap, and the number of its events."""

    def faded_and_counted(rule: Rule) -> tuple[compiler.Column, ...]:
        return (*compiler.faded(rule), compiler.Column("n", "count(*) {filter}"))

    points = compiler.points(ruleset, at=at, contact="c")
    picked = [compiler.rounded(points)]
    gains = compiler.gains(ruleset, at=at, contact="c")
    for position, rule in enumerate(ruleset.rules):
        count = "0" if rule.condition is not None else f"{compiler.SUMS}.n{position}"
        picked += [compiler.rounded([points[position]]), compiler.rounded([gains[position]]), Sql(count, [])]
    sums = compiler.aggregate(ruleset, at=at, contact="c", until=at, columns=faded_and_counted)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(part.text for part in picked)} "
            f"FROM contacts c CROSS JOIN LATERAL ({sums.text}) {compiler.SUMS} WHERE c.id = %s",
            [*(param for part in picked for param in part.params), *sums.params, contact_id],
        )
        row = cursor.fetchone()
    if row is None:
        raise LookupError(f"no contact {contact_id}")
    return row


def _events(ruleset: Ruleset, contact_id: int, at: datetime) -> dict[int, list[ScoredEvent]]:
    """The newest events that each event rule counts, by the rule's position. One statement for all rules."""
    newest = []
    for position, rule in enumerate(ruleset.rules):
        if rule.condition is not None:
            continue
        newest.append(
            fill(
                f"(SELECT {position}, scored.id, scored.occurred_at, scored.age FROM contacts c "
                f"CROSS JOIN LATERAL ({{events}}) scored WHERE c.id = {{contact}} AND {{counts}} "
                f"ORDER BY scored.occurred_at DESC, scored.id DESC LIMIT {EVENTS_SHOWN})",
                events=compiler.scoring_events(ruleset, at=at, contact="c", until=at),
                contact=Sql("%s", [contact_id]),
                counts=compiler.counts(rule, at=at, contact="c"),
            )
        )
    if not newest:
        return {}
    statement = join(" UNION ALL ", newest)
    found: dict[int, list[ScoredEvent]] = {}
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.params)
        for position, event_id, occurred_at, age in cursor.fetchall():
            rule = ruleset.rules[position]
            found.setdefault(position, []).append(
                ScoredEvent(
                    event_id=event_id,
                    type=rule.event,
                    occurred_at=occurred_at,
                    raw=rule.points,
                    decayed=round(rule.points * remaining(rule.decay, age), compiler.DECIMALS),
                )
            )
    return found
