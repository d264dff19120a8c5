"""A ruleset compiled into SQL: one pass over a contact's scoring events for all rules together.

The condition field, the scores of a batch, the explanation, the curve and the forecast are all made here, and the score
is rounded here and nowhere else. Positions of rules are those of `arithmetic.rules_of`: the parts' rules included."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from contacts.conditions import Aliases, Sql, compile_condition
from contacts.conditions.fragment import fill, join
from contacts.conditions.sql import ENGAGEMENT, FURTHEST_AHEAD
from scoring.rulesets.arithmetic import fold, rules_of, tree_of
from scoring.rulesets.decay import remaining_sql
from scoring.rulesets.rules import Rule, Ruleset

DECIMALS = 6
EVENT = "scored"  # the alias of an event row; it has `age`, its age in seconds, beside the columns of contact_events
AGE = f"{EVENT}.age"
SUMS = "sums"

_ZERO = Sql("0::float8", [])


def score(ruleset: Ruleset, *, at: datetime, contact: str, known_by: datetime | None = None) -> Sql:
    """A scalar expression over `contact`, the alias of a row of contacts: the rounded score at `at`; where `known_by`
    is given, by the events that had been recorded by then."""
    return fill(
        f"(SELECT {{total}} FROM ({{sums}}) {SUMS})",
        total=total(ruleset, points(ruleset, at=at, contact=contact)),
        sums=aggregate(ruleset, at=at, contact=contact, until=at, columns=faded, known_by=known_by),
    )


def total(ruleset: Ruleset, points: Sequence[Sql]) -> Sql:
    """The score, rounded, from what each rule gives within its own cap."""
    return rounded([fold(tree_of(ruleset), points, add=_added, bound=bounded, scale=_scaled)])


def rounded(parts: Sequence[Sql]) -> Sql:
    """The sum as it is compared and shown."""
    return fill(f"round(({{sum}})::numeric, {DECIMALS})::float8", sum=_added(parts))


def bounded(value: Sql, cap: float) -> Sql:
    """A value within ± `cap`."""
    return fill(f"GREATEST({-cap!r}::float8, LEAST({cap!r}::float8, {{value}}))", value=value)


def within_cap(rule: Rule, gained: Sql) -> Sql:
    """What a rule gives: what it would give without its cap, bounded."""
    return gained if rule.cap is None else bounded(gained, rule.cap)


def gains(ruleset: Ruleset, *, at: datetime, contact: str) -> list[Sql]:
    """What each rule would give without its cap, by position: expressions over `contact` and `sums`."""
    gained = []
    for position, rule in enumerate(rules_of(ruleset)):
        if rule.condition is None:
            gained.append(Sql(f"{SUMS}.r{position} * {rule.points!r}::float8", []))
        else:
            condition = compile_condition(rule.condition, now=at, aliases=Aliases(contact=contact))
            gained.append(fill(f"CASE WHEN {{condition}} THEN {rule.points!r}::float8 ELSE 0 END", condition=condition))
    return gained


def points(ruleset: Ruleset, *, at: datetime, contact: str) -> list[Sql]:
    """What each rule gives: the same within its cap."""
    gained = gains(ruleset, at=at, contact=contact)
    return [within_cap(rule, gain) for rule, gain in zip(rules_of(ruleset), gained, strict=True)]


class Column(NamedTuple):
    """An aggregate with the slot `{filter}`, over the events of one rule of which `only` is true."""

    name: str
    sql: str
    only: str = "TRUE"


def faded(rule: Rule) -> tuple[Column, ...]:
    """`r`: the faded number of the events that give points (1.0 for a fresh one).

    Points only ever fade, so the newest event of several is the one of which most is left."""
    left = remaining_sql(rule.decay, AGE)
    if rule.repeat.policy == "once":
        return (Column("r", f"COALESCE(max({left}) {{filter}}, 0)"),)
    if rule.repeat.policy == "once_per":
        newest = (
            f"SELECT max(each.remaining) AS remaining FROM unnest(array_agg({period(rule)}) {{filter}}, "
            f"array_agg({left}) {{filter}}) AS each(period, remaining) GROUP BY each.period"
        )
        return (Column("r", f"COALESCE((SELECT sum(newest.remaining) FROM ({newest}) newest), 0)"),)
    return (Column("r", f"COALESCE(sum({left}) {{filter}}, 0)"),)


def giving(rule: Rule) -> Column:
    """`n`: how many events give points."""
    counted = {"once": "LEAST(count(*) {filter}, 1)", "once_per": f"count(DISTINCT {period(rule)}) {{filter}}"}
    return Column("n", counted.get(rule.repeat.policy, "count(*) {filter}"))


def period(rule: Rule) -> str:
    """The number of the period, since 1970, in which the event at hand lies: for rules that repeat `once_per`."""
    return f"floor(date_part('epoch', {EVENT}.occurred_at) / {rule.repeat.seconds!r}::float8)"


def aggregate(
    ruleset: Ruleset,
    *,
    at: datetime,
    contact: str,
    until: datetime | None,
    columns: Callable[[Rule], tuple[Column, ...]],
    known_by: datetime | None = None,
) -> Sql:
    """A query of one row over the scoring events of a contact that occurred up to `until` (None: ahead as well): the
    columns of every event rule, each called its name and the position of the rule."""
    picked = picks(ruleset, at=at, contact=contact, columns=columns)
    if not picked:
        return Sql("SELECT 1", [])
    events = scoring_events(ruleset, at=at, contact=contact, until=until, known_by=known_by)
    return Sql(
        f"SELECT {', '.join(column.text for column in picked)} FROM ({events.text}) {EVENT}",
        [*(param for column in picked for param in column.params), *events.params],
    )


def picks(ruleset: Ruleset, *, at: datetime, contact: str, columns: Callable[[Rule], tuple[Column, ...]]) -> list[Sql]:
    """The columns of every event rule, to be selected from rows of `scored`, which may be grouped."""
    picked = []
    for position, rule in enumerate(rules_of(ruleset)):
        if rule.condition is not None:
            continue
        of_rule = counts(rule, at=at, contact=contact)
        for column in columns(rule):
            chosen = join(" AND ", [of_rule, Sql(column.only, [])])
            narrowed = fill("FILTER (WHERE {chosen})", chosen=chosen)
            picked.append(fill(f"{column.sql} AS {column.name}{position}", filter=narrowed))
    return picked


def counts(rule: Rule, *, at: datetime, contact: str) -> Sql:
    """Whether an event rule counts the event at hand. (Which of those give points, `repeat` says.)"""
    tests = [Sql(f"{EVENT}.type = %s", [rule.event])]
    if rule.within is not None:
        tests.append(Sql(f"{EVENT}.occurred_at > %s::timestamptz", [at - timedelta(seconds=rule.within)]))
    if rule.human_only and rule.event in ENGAGEMENT:
        # scanners and mail programs open and click too
        tests.append(Sql(f"({EVENT}.properties ->> 'is_machine') IS DISTINCT FROM 'true'", []))
    if rule.where is not None:
        tests.append(compile_condition(rule.where, now=at, aliases=Aliases(contact, EVENT)))
    return join(" AND ", tests)


def scoring_events(
    ruleset: Ruleset, *, at: datetime, contact: str, until: datetime | None, known_by: datetime | None = None
) -> Sql:
    """The events that any rule may count, each with its age at `at` (below 0: still to come)."""
    tests = [
        Sql(f"found.contact_id = {contact}.id AND found.processed", []),
        Sql("found.type = ANY(%s)", [event_types(ruleset)]),
    ]
    if until is not None:
        tests.append(Sql("found.occurred_at <= %s::timestamptz", [until]))
    if known_by is not None:
        tests.append(Sql("found.recorded_at <= %s::timestamptz", [known_by]))
    window = longest_window(ruleset)
    if window is not None:
        # every rule looks back only so far: older partitions are not opened (see conditions.sql.FURTHEST_AHEAD)
        tests.append(Sql("found.occurred_at > %s::timestamptz", [at - window]))
        tests.append(Sql("found.recorded_at > %s::timestamptz", [at - window - FURTHEST_AHEAD]))
    return fill(
        "SELECT found.*, date_part('epoch', {at} - found.occurred_at) AS age FROM contact_events found WHERE {tests}",
        at=Sql("%s::timestamptz", [at]),
        tests=join(" AND ", tests),
    )


def event_types(ruleset: Ruleset) -> list[str]:
    """The types that event rules count, sorted."""
    return sorted({rule.event for rule in rules_of(ruleset) if rule.condition is None})


def longest_window(ruleset: Ruleset) -> timedelta | None:
    """How old an event may be to be counted by any rule; None if a rule counts events of every age."""
    windows = [rule.within for rule in rules_of(ruleset) if rule.condition is None]
    if not windows or None in windows:
        return None
    return timedelta(seconds=max(window for window in windows if window is not None))


def _added(parts: Sequence[Sql]) -> Sql:
    return join(" + ", parts or [_ZERO])


def _scaled(value: Sql, weight: float) -> Sql:
    return fill(f"({{value}} * {weight!r}::float8)", value=value)
