"""How a score moved, and will move if nothing more happens: the same projection at many instants, in one statement."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from contacts.conditions import Condition, Sql
from contacts.conditions.fragment import fill
from contacts.conditions.tree import All, AnyOf, EventCount, Not
from contacts.durations import window
from scoring.projection import compiler
from scoring.projection.moving import MOVING, over
from scoring.rulesets import reading
from scoring.rulesets.arithmetic import rules_of
from scoring.rulesets.rules import LEAD, Ruleset

POINTS = 120
MOST_POINTS = 1000
MOST_JUMPS = 120


def curve(
    contact_id: int,
    *,
    since: datetime,
    until: datetime,
    name: str = LEAD,
    ruleset: Ruleset | None = None,
    points: int = POINTS,
) -> tuple[tuple[datetime, float], ...]:
    """(at, score) from `since` to `until`, by time: `points` instants at equal distances, and those at which the score
    may jump (events, ends of windows and of steps, moves of the lifecycle), with the last microsecond before each; of
    many jumps MOST_JUMPS, spread over the whole. `until` may lie ahead: then nothing more happens.

    Empty without rules. What is known of the contact itself is taken as it is now. Two statements (one if the rules are
    given). Raises LookupError if there is no such contact, and ValueError if `since` is not before `until` or `points`
    not between 2 and 1000."""
    if since >= until:
        raise ValueError("since must be before until")
    if not 2 <= points <= MOST_POINTS:
        raise ValueError(f"points must be from 2 to {MOST_POINTS}")
    ruleset = ruleset or reading.active_ruleset(name)
    if ruleset is None:
        return ()
    step = (until - since) / (points - 1)
    statement = fill(
        """
        WITH jump AS (
            SELECT found.at, row_number() OVER (
                       PARTITION BY div(date_part('epoch', found.at - {since})::numeric, {slot}) ORDER BY found.at DESC
                   ) AS place
              FROM ({jumps}) AS found(at) WHERE found.at BETWEEN {since} AND {until}),
        chosen AS (SELECT at FROM jump ORDER BY place, at LIMIT {most}),
        moment AS (
            SELECT at FROM unnest({regular}) AS regular(at)
             UNION SELECT at FROM chosen
             UNION SELECT at - interval '1 microsecond' FROM chosen)
        SELECT moment.at, {score}
          FROM contacts c CROSS JOIN moment
         WHERE c.id = {contact} AND moment.at BETWEEN {since} AND {until} ORDER BY moment.at
        """,
        jumps=_jumps(ruleset, contact_id, since, until),
        score=over(compiler.score(ruleset, at=MOVING, contact="c"), "moment.at"),
        contact=Sql("%s", [contact_id]),
        since=Sql("%s::timestamptz", [since]),
        until=Sql("%s::timestamptz", [until]),
        slot=Sql("%s::numeric", [(until - since).total_seconds() / MOST_JUMPS]),
        most=Sql("%s", [MOST_JUMPS]),
        regular=Sql("%s::timestamptz[]", [[*(since + step * place for place in range(points - 1)), until]]),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.params)
        found = tuple(cursor.fetchall())
    if not found:
        raise LookupError(f"no contact {contact_id}")
    return found


def _jumps(ruleset: Ruleset, contact_id: int, since: datetime, until: datetime) -> Sql:
    """A query of one column: instants at which the score may jump. Dates among the contact's own attributes, which
    conditions may count from, are not among them."""
    kinds = sorted(set(_kinds_of(ruleset)))
    return Sql(
        """
        SELECT DISTINCT e.occurred_at + kind.after
          FROM unnest(%s::text[], %s::interval[]) AS kind(type, after)
          JOIN contact_events e ON e.contact_id = %s AND e.type = kind.type AND e.processed
           AND e.occurred_at BETWEEN %s::timestamptz - kind.after AND %s::timestamptz - kind.after
         UNION SELECT occurred_at FROM lifecycle_events WHERE contact_id = %s
        """,
        [[kind for kind, _ in kinds], [after for _, after in kinds], contact_id, since, until, contact_id],
    )


def _kinds_of(ruleset: Ruleset) -> Iterator[tuple[str, timedelta]]:
    """(type of event, how long after one): when the score may jump."""
    for rule in rules_of(ruleset):
        if rule.condition is not None:
            yield from _kinds_in(rule.condition)
            continue
        yield rule.event, timedelta(0)
        if rule.decay.kind in ("step", "linear"):
            yield rule.event, timedelta(seconds=rule.decay.seconds)
        if rule.within is not None:
            yield rule.event, timedelta(seconds=rule.within)


def _kinds_in(condition: Condition) -> Iterator[tuple[str, timedelta]]:
    match condition:
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from _kinds_in(part)
        case Not(part):
            yield from _kinds_in(part)
        case EventCount(kind, within=within):
            yield kind, timedelta(0)
            if within is not None:
                yield kind, window(within, speed=settings.TIME_SPEED)
