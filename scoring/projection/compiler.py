"""A ruleset compiled into SQL: one pass over a contact's scoring events for all rules together.

The condition field, the scores of a batch, the explanation and the forecast are all made here, and the score is rounded
here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from contacts.conditions import Aliases, Sql, compile_condition
from contacts.conditions.fragment import fill, join
from contacts.conditions.sql import ENGAGEMENT
from scoring.rulesets.decay import remaining_sql
from scoring.rulesets.rules import Rule, Ruleset

DECIMALS = 6
EVENT = "scored"  # the alias of an event row; it has `age`, its age in seconds, beside the columns of contact_events
AGE = f"{EVENT}.age"
SUMS = "sums"

_ZERO = Sql("0::float8", [])


def score(ruleset: Ruleset, *, at: datetime, contact: str) -> Sql:
    """A scalar expression over `contact`, the alias of a row of contacts: the rounded score at `at`."""
    return fill(
        f"(SELECT {{total}} FROM ({{sums}}) {SUMS})",
        total=rounded(points(ruleset, at=at, contact=contact)),
        sums=aggregate(ruleset, at=at, contact=contact, until=at, columns=faded),
    )


def rounded(parts: list[Sql]) -> Sql:
    """The sum as it is compared and shown."""
    return fill(f"round(({{sum}})::numeric, {DECIMALS})::float8", sum=join(" + ", parts or [_ZERO]))


def gains(ruleset: Ruleset, *, at: datetime, contact: str) -> list[Sql]:
    """What each rule would give without its cap, in the order of the rules: expressions over `contact` and `sums`."""
    gained = []
    for position, rule in enumerate(ruleset.rules):
        if rule.condition is None:
            gained.append(Sql(f"{SUMS}.r{position} * {rule.points!r}::float8", []))
        else:
            condition = compile_condition(rule.condition, now=at, aliases=Aliases(contact=contact))
            gained.append(fill(f"CASE WHEN {{condition}} THEN {rule.points!r}::float8 ELSE 0 END", condition=condition))
    return gained


def points(ruleset: Ruleset, *, at: datetime, contact: str) -> list[Sql]:
    """What each rule gives: the same within its cap."""
    return [
        gained
        if rule.cap is None
        else fill(f"GREATEST({-rule.cap!r}::float8, LEAST({rule.cap!r}::float8, {{gained}}))", gained=gained)
        for rule, gained in zip(ruleset.rules, gains(ruleset, at=at, contact=contact), strict=True)
    ]


class Column(NamedTuple):
    """An aggregate with the slot `{filter}`, over the events of one rule of which `only` is true."""

    name: str
    sql: str
    only: str = "TRUE"


def faded(rule: Rule) -> tuple[Column, ...]:
    """`r`: the faded number of events of a rule (1.0 for a fresh one)."""
    return (Column("r", f"COALESCE(sum({remaining_sql(rule.decay, AGE)}) {{filter}}, 0)"),)


def aggregate(
    ruleset: Ruleset,
    *,
    at: datetime,
    contact: str,
    until: datetime | None,
    columns: Callable[[Rule], tuple[Column, ...]],
) -> Sql:
    """A query of one row over the scoring events of a contact that occurred up to `until` (None: ahead as well): the
    columns of every event rule, each called its name and the position of the rule."""
    picked = []
    for position, rule in enumerate(ruleset.rules):
        if rule.condition is not None:
            continue
        of_rule = counts(rule, at=at, contact=contact)
        for column in columns(rule):
            chosen = join(" AND ", [of_rule, Sql(column.only, [])])
            narrowed = fill("FILTER (WHERE {chosen})", chosen=chosen)
            picked.append(fill(f"{column.sql} AS {column.name}{position}", filter=narrowed))
    if not picked:
        return Sql("SELECT 1", [])
    events = scoring_events(ruleset, at=at, contact=contact, until=until)
    return Sql(
        f"SELECT {', '.join(column.text for column in picked)} FROM ({events.text}) {EVENT}",
        [*(param for column in picked for param in column.params), *events.params],
    )


def counts(rule: Rule, *, at: datetime, contact: str) -> Sql:
    """Whether an event rule counts the event at hand."""
    of_type = Sql(f"{EVENT}.type = %s", [rule.event])
    if rule.where is None:
        return of_type
    return join(" AND ", [of_type, compile_condition(rule.where, now=at, aliases=Aliases(contact, EVENT))])


def scoring_events(ruleset: Ruleset, *, at: datetime, contact: str, until: datetime | None) -> Sql:
    """The events that any rule counts, each with its age at `at` (below 0: still to come)."""
    types = event_types(ruleset)
    parts = [
        Sql(f"found.contact_id = {contact}.id AND found.processed", []),
        Sql("found.type = ANY(%s)", [types]),
    ]
    if until is not None:
        parts.append(Sql("found.occurred_at <= %s", [until]))
    if any(type_ in ENGAGEMENT for type_ in types):
        # scanners and mail programs open and click too: only people count
        human = "(found.type <> ALL(%s) OR found.properties ->> 'is_machine' IS DISTINCT FROM 'true')"
        parts.append(Sql(human, [list(ENGAGEMENT)]))
    return fill(
        "SELECT found.*, date_part('epoch', {at} - found.occurred_at) AS age FROM contact_events found WHERE {parts}",
        at=Sql("%s::timestamptz", [at]),
        parts=join(" AND ", parts),
    )


def event_types(ruleset: Ruleset) -> list[str]:
    """The types that event rules count, sorted."""
    return sorted({rule.event for rule in ruleset.rules if rule.condition is None})
