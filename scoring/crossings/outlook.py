"""What lies ahead of each contact: the data of the forecast, read for a batch together with the score of now."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from contacts.conditions import Sql
from contacts.conditions.fragment import fill
from scoring.crossings import moments, sides
from scoring.crossings.forecast import Flow, Level, Term, flow_of, level_of, next_look
from scoring.projection import compiler
from scoring.rulesets import reading
from scoring.rulesets.arithmetic import rules_of, tree_of
from scoring.rulesets.rules import LEAD, Rule, Ruleset

HORIZON = timedelta(days=180)
MOST_LOOKS = 20  # of `next_crossing`, from one instant at which a condition may change to the next


@dataclass(frozen=True)
class Outlook:
    """The next crossing of `threshold`, if nothing more happens: the score reaches it (`rising`) or falls below it by
    the hysteresis of its rules. `is_certain` False: not before `at`, and perhaps never."""

    threshold: float
    rising: bool
    at: datetime
    is_certain: bool = True


@dataclass(frozen=True)
class Ahead:
    """The rounded `score` of a contact at an instant, how it flows from there, and the first instant after it at which
    a condition of the rules may change its truth (None: none looks at the time)."""

    score: float
    flow: Flow
    moment: datetime | None

    def next_look(self, level: Level, *, now: datetime, rearmed_at: datetime | None) -> datetime | None:
        """When to look again for a crossing of a level that has not been crossed, or not yet told of: at the crossing,
        but not before `rearmed_at`; or sooner, where it cannot be said. None: it can never be crossed."""
        if level.crossed(self.score):
            return rearmed_at
        seconds = next_look(self.flow, level=level, horizon=(HORIZON / settings.TIME_SPEED).total_seconds())
        if seconds is None:
            return None
        at = now + timedelta(microseconds=math.ceil(seconds * 1e6))
        return at if rearmed_at is None else max(at, rearmed_at)


def next_crossing(contact_id: int, *, now: datetime, name: str = LEAD) -> Outlook | None:
    """When the score of a contact will next cross the threshold of its active rules, if nothing more happens: exact to
    a second within HORIZON, and told as the crossing will be (with hysteresis, and not before it is armed again). None:
    never, or there are no such rules or no such contact. A handful of statements, more where conditions of the rules
    look at the time."""
    ruleset = reading.active_ruleset(name)
    if ruleset is None:
        return None
    threshold = ruleset.mql_threshold
    side = sides.read(ruleset.name, [contact_id], [threshold]).get((contact_id, threshold), sides.BELOW)
    level = level_of(threshold, above=side.above, hysteresis=ruleset.settings.hysteresis)
    rearmed_at = side.rearmed_at(ruleset)
    at, until = now, now + HORIZON / settings.TIME_SPEED
    for _ in range(MOST_LOOKS):
        ahead = read(ruleset, contact_ids=[contact_id], now=at).get(contact_id)
        if ahead is None:
            return None
        if level.crossed(ahead.score) and (rearmed_at is None or at >= rearmed_at):
            return Outlook(threshold, level.rising, at)
        look = ahead.next_look(level, now=at, rearmed_at=rearmed_at)
        nearest = min((each for each in (look, ahead.moment) if each is not None), default=None)
        if nearest is None:
            return None
        at = nearest
        if at >= until:
            break
    return Outlook(threshold, level.rising, at, is_certain=False)


def read(ruleset: Ruleset, *, contact_ids: Collection[int], now: datetime) -> dict[int, Ahead]:
    """What lies ahead of each of these contacts at `now`; ids that are nobody's are left out. One statement, and one
    more if a rule's condition looks at the time."""
    rules, tree = rules_of(ruleset), tree_of(ruleset)
    points = compiler.points(ruleset, at=now, contact="c")
    conditions = [points[position] for position, rule in enumerate(rules) if rule.condition is not None]
    columns = [
        Sql(f"{compiler.SUMS}.{column.name}{position}", [])
        for position, rule in enumerate(rules)
        if rule.condition is None
        for column in _ahead(rule)
    ]
    picked = [compiler.total(ruleset, points), *conditions, *columns]
    statement = fill(
        f"SELECT c.id, {', '.join(each.text for each in picked)} "
        f"FROM contacts c CROSS JOIN LATERAL ({{sums}}) {compiler.SUMS} WHERE c.id = ANY({{ids}})",
        sums=compiler.aggregate(ruleset, at=now, contact="c", until=None, columns=_ahead),
        ids=Sql("%s", [sorted(contact_ids)]),
    )
    changing = moments.next_moments(ruleset, contact_ids=contact_ids, now=now)
    with connection.cursor() as cursor:
        cursor.execute(statement.text, [*(param for each in picked for param in each.params), *statement.params])
        rows = cursor.fetchall()
    ahead = {}
    for contact_id, score, *found in rows:
        values = _values(rules, iter(found[: len(conditions)]), iter(found[len(conditions) :]))
        ahead[contact_id] = Ahead(score, flow_of(tree, values), changing.get(contact_id))
    return ahead


def _values(rules: Sequence[Rule], conditions: Iterator[float], columns: Iterator[Any]) -> list[Term | float]:
    """What each rule gives, by position: points that stay, or a term."""
    values: list[Term | float] = []
    for rule in rules:
        if rule.condition is not None:
            values.append(next(conditions))
            continue
        standing, found = next(columns), next(columns)
        if _fades_as_one(rule):
            term = Term(rule.points, rule.cap, rule.decay, standing, tuple(found), within=rule.within)
        elif rule.repeat.policy == "every_time":
            term = Term(rule.points, rule.cap, rule.decay, ages=tuple(found), within=rule.within)
        else:
            slots: dict[float, list[float]] = {}
            for period, age in found:
                slots.setdefault(period, []).append(age)
            term = Term(rule.points, rule.cap, rule.decay, slots=tuple(map(tuple, slots.values())), within=rule.within)
        values.append(term if standing or found else 0.0)
    return values


def _fades_as_one(rule: Rule) -> bool:
    """Whether the sum over the rule's past events fades as the events do."""
    return rule.decay.kind in ("none", "half_life") and rule.within is None and rule.repeat.policy == "every_time"


def _ahead(rule: Rule) -> tuple[compiler.Column, ...]:
    """`r`: the faded number of past events, as in the score of now; and `a`, what of them has to be known one by one:
    the ages of those that (will) count, or, where events stand in for each other, [period, age] of the newest one of
    each period and of those still to come."""
    age = compiler.AGE
    (faded,) = compiler.faded(rule)
    now = faded._replace(only=f"{age} >= 0")
    if _fades_as_one(rule):
        return now, compiler.Column("a", f"COALESCE(array_agg({age}) {{filter}}, '{{}}'::float8[])", f"{age} < 0")
    fresh = f"{age} < {rule.decay.seconds!r}" if rule.decay.kind in ("linear", "step") else "TRUE"
    if rule.repeat.policy == "every_time":
        return now, compiler.Column("a", f"COALESCE(array_agg({age}) {{filter}}, '{{}}'::float8[])", fresh)
    period = compiler.period(rule) if rule.repeat.policy == "once_per" else "0::float8"
    newest = (
        f"SELECT array_agg(ARRAY[newest.period, newest.age]) FROM (SELECT each.period, min(each.age) AS age "
        f"FROM unnest(array_agg({period}) {{filter}}, array_agg({age}) {{filter}}) AS each(period, age) "
        f"GROUP BY each.period, LEAST(each.age, 0)) newest"
    )
    return now, compiler.Column("a", f"COALESCE(({newest}), '{{}}'::float8[])", fresh)
