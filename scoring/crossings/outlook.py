"""When each contact has to be looked at again: the data of the forecast, read for a batch in one statement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from contacts.conditions.fragment import fill
from scoring.crossings import moments
from scoring.crossings.forecast import Level, Term, next_look
from scoring.projection import compiler
from scoring.rulesets.decay import remaining_sql
from scoring.rulesets.rules import Rule, Ruleset

HORIZON = timedelta(days=180)


def next_checks(ruleset: Ruleset, *, levels: Mapping[int, Sequence[Level]], now: datetime) -> dict[int, datetime]:
    """When the score of each contact will cross the first of its levels (or when to look again, see `forecast`), if
    nothing happens; contacts that cannot cross are left out. One statement, and one more if a rule's condition looks
    at the time."""
    horizon = (HORIZON / settings.TIME_SPEED).total_seconds()
    checks = moments.next_moments(ruleset, contact_ids=levels.keys(), now=now)
    for contact_id, (constant, terms) in _terms(ruleset, sorted(levels), now).items():
        looks = (
            next_look(terms=terms, constant=constant, level=level, horizon=horizon) for level in levels[contact_id]
        )
        seconds = min((look for look in looks if look is not None), default=None)
        if seconds is not None:
            at = now + timedelta(microseconds=math.ceil(seconds * 1e6))
            checks[contact_id] = min(at, checks.get(contact_id, at))
    return checks


def _terms(ruleset: Ruleset, contact_ids: list[int], now: datetime) -> dict[int, tuple[float, list[Term]]]:
    """For each contact the points of the conditions, and a term for each event rule."""
    points = compiler.points(ruleset, at=now, contact="c")
    conditions = [point for rule, point in zip(ruleset.rules, points, strict=True) if rule.condition is not None]
    positions = [position for position, rule in enumerate(ruleset.rules) if rule.condition is None]
    columns = ", ".join(f"{compiler.SUMS}.s{position}, {compiler.SUMS}.a{position}" for position in positions)
    statement = fill(
        f"SELECT c.id, {{constant}}{', ' + columns if columns else ''} "
        f"FROM contacts c CROSS JOIN LATERAL ({{sums}}) {compiler.SUMS} WHERE c.id = ANY(%s)",
        constant=compiler.rounded(conditions),
        sums=compiler.aggregate(ruleset, at=now, contact="c", until=None, columns=_standing_and_ages),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement.text, [*statement.params, contact_ids])
        rows = cursor.fetchall()
    return {
        contact_id: (
            constant,
            [
                Term(rule.points, rule.cap, rule.decay, standing, tuple(ages))
                for rule, standing, ages in zip(
                    (ruleset.rules[position] for position in positions), columns[::2], columns[1::2], strict=True
                )
                if standing or ages
            ],
        )
        for contact_id, constant, *columns in rows
    }


def _standing_and_ages(rule: Rule) -> tuple[compiler.Column, ...]:
    """`s`: the faded number of past events whose sum fades as one; `a`: the ages of all others that (will) count."""
    as_one = rule.decay.kind in ("none", "half_life")
    faded = remaining_sql(rule.decay, compiler.AGE)
    one_by_one = f"{compiler.AGE} < " + ("0" if as_one else f"{rule.decay.seconds!r}")
    return (
        compiler.Column("s", f"COALESCE(sum({faded}) {{filter}}, 0)", f"{compiler.AGE} >= 0" if as_one else "FALSE"),
        compiler.Column("a", f"COALESCE(array_agg({compiler.AGE}) {{filter}}, '{{}}')", one_by_one),
    )
