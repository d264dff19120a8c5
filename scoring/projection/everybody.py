"""The projection for everybody: the same rules as for one contact, in one grouped pass over the events.

What a rule counts, how much of an event is left, how points add up and where they are rounded is said by the compiler
and the arithmetic; here they are only laid out for many. The rules that simply add up share one sum: a CASE by the type
of the event, instead of a sum for each rule. Where an entry of the index says all that the rules ask of an event, only
the index is read, and contacts are taken a slice of ids at a time, so that the sums of a slice stay in the processor's
cache whatever the number of contacts. Rules that look into events read the log itself, once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from contacts.conditions import Sql
from contacts.conditions.fragment import TRUE, fill, join
from contacts.conditions.sql import ENGAGEMENT, FURTHEST_AHEAD
from contacts.conditions.tree import All, AnyOf
from scoring.projection import compiler
from scoring.projection.compiler import AGE, EVENT, SUMS
from scoring.rulesets.arithmetic import Sum, fold, rules_of, tree_of
from scoring.rulesets.decay import remaining_sql
from scoring.rulesets.rules import Part, Rule, Ruleset

SLICE = 2000  # contacts
_ASKS_CONTACT = re.compile(r"\bc\.")  # the `where` of a rule may compare an event with its contact
TRUE_OF_ANYBODY, TRUE_OF_NOBODY = All(()), AnyOf(())
NOTHING = Sql("0::float8", [])
ALIVE = Sql("c.merged_into_id IS NULL AND c.erased_at IS NULL", [])
# Ids have gaps (an upsert burns one): a slice is so wide that it holds about SLICE contacts, by the statistics.
_SLICES = f"""
(SELECT slice.first, slice.first + span.width AS end
   FROM (SELECT min(id) AS first, max(id) AS last,
                GREATEST({SLICE}, ((max(id) - min(id)) / GREATEST(1, (
                    SELECT reltuples FROM pg_class WHERE oid = 'contacts'::regclass) / {SLICE}))::bigint) AS width
           FROM contacts) span
  CROSS JOIN LATERAL generate_series(span.first, span.last, span.width) AS slice(first))
"""


def query(ruleset: Ruleset, *, at: datetime, among: Sql = TRUE) -> Sql:
    """A query of (contact_id, score): everybody alive of whom `among` is true, an expression over `c`, a row of
    contacts. The score is what `scores.under` gives, but for the order in which floats are added."""
    values = [compiler.total(ruleset, _points(ruleset, at=at))]
    if not _counted(ruleset):
        return fill(
            "SELECT c.id AS contact_id, {score} AS score FROM contacts c WHERE {alive} AND {among}",
            score=values[0],
            alive=ALIVE,
            among=among,
        )
    if not reads_index_alone(ruleset):
        return _of_contacts(ruleset, values[0], TRUE, TRUE, at=at, among=among)
    sliced = _of_contacts(
        ruleset,
        values[0],
        Sql("c.id >= slice.first AND c.id < slice.end", []),
        Sql("found.contact_id >= slice.first AND found.contact_id < slice.end", []),
        at=at,
        among=among,
    )
    return fill(f"SELECT every.* FROM {_SLICES} slice CROSS JOIN LATERAL ({{sliced}}) every", sliced=sliced)


def ceilings(ruleset: Ruleset, *, at: datetime, limit: int, latest: bool = False) -> Sql:
    """A query of (contact_id, ceiling): the `limit` contacts with scoring events of whom most is possible, the greatest
    first. Nobody's score is above their ceiling; it is found in the index alone. `ruleset` has a rule for events.

    `latest`: hardly anything happened after `at`. Entries of the index are then not asked whether they count, which is
    a tenth of the work: other types give nothing, and what is still to come is taken to be fresh where that is more."""
    hopeful = ceiling(ruleset)
    loosely = latest and all(part.weight > 0 for part in ruleset.parts)
    bounds = Sql("found.contact_id >= slice.first AND found.contact_id < slice.end", [])
    sums = _sums(hopeful, bounds, at=at, loosely=loosely)
    return fill(
        f"SELECT {SUMS}.contact_id, {{total}} AS ceiling FROM {_SLICES} slice CROSS JOIN LATERAL ({{sums}}) {SUMS}"
        " ORDER BY 2 DESC, 1 LIMIT {limit}",
        total=_unrounded(hopeful, _points(hopeful, at=at)),
        sums=sums,
        limit=Sql("%s", [limit]),
    )


def ceiling(ruleset: Ruleset) -> Ruleset:
    """Rules under which nobody scores less, and of which the index of events says everything: what is asked of a
    contact, or of an event beyond its type and time, is taken to be as it is best."""

    def hopeful(rule: Rule, *, upwards: bool) -> Rule:
        gains = (rule.points >= 0) == upwards
        if rule.condition is not None:
            return replace(rule, condition=TRUE_OF_ANYBODY if gains else TRUE_OF_NOBODY)
        if _entry_tells_all(rule):
            return rule
        return replace(rule, points=rule.points if gains else 0.0, where=None, human_only=False)

    def of(rules: Sequence[Rule], *, upwards: bool) -> tuple[Rule, ...]:
        return tuple(hopeful(rule, upwards=upwards) for rule in rules)

    parts = tuple(
        Part(part.name, part.weight, replace(part.ruleset, rules=of(part.ruleset.rules, upwards=part.weight > 0)))
        for part in ruleset.parts
    )
    return replace(ruleset, rules=of(ruleset.rules, upwards=True), parts=parts)


def reads_index_alone(ruleset: Ruleset) -> bool:
    """Whether no rule looks into an event."""
    return all(_entry_tells_all(rule) for rule in _counted(ruleset))


def _entry_tells_all(rule: Rule) -> bool:
    """Whether the index of the log (contact, type, time) says whether this rule counts an event."""
    return rule.where is None and not (rule.human_only and rule.event in ENGAGEMENT)


def _counted(ruleset: Ruleset) -> list[Rule]:
    return [rule for rule in rules_of(ruleset) if rule.condition is None]


def _of_contacts(ruleset: Ruleset, score: Sql, contacts: Sql, events: Sql, *, at: datetime, among: Sql) -> Sql:
    return fill(
        f"SELECT c.id AS contact_id, {{score}} AS score FROM contacts c "
        f"LEFT JOIN ({{sums}}) {SUMS} ON {SUMS}.contact_id = c.id WHERE {{contacts}} AND {{alive}} AND {{among}}",
        score=score,
        sums=_sums(ruleset, events, at=at),
        contacts=contacts,
        alive=ALIVE,
        among=among,
    )


# -- sums over events --------------------------------------------------------------------------------------------------


def _bundles(ruleset: Ruleset) -> Iterator[list[int]]:
    """Rules that simply add up, by what they add up to: each of their events can be added by itself."""
    rules = rules_of(ruleset)

    def of(node: Sum) -> Iterator[list[int]]:
        plain = [term for term in node.terms if isinstance(term, int) and _is_plain(rules[term])]
        if plain:
            yield plain
        for term in node.terms:
            if isinstance(term, Sum):
                yield from of(term)

    return of(tree_of(ruleset))


def _is_plain(rule: Rule) -> bool:
    return rule.condition is None and rule.cap is None and rule.repeat.policy == "every_time"


def _unrounded(ruleset: Ruleset, points: Sequence[Sql]) -> Sql:
    """For millions of numbers that are only compared: rounding each costs as much as adding up its events."""
    return fold(
        tree_of(ruleset),
        points,
        add=lambda parts: join(" + ", parts or [NOTHING]),
        bound=compiler.bounded,
        scale=lambda value, weight: fill(f"({{value}} * {weight!r}::float8)", value=value),
    )


def _points(ruleset: Ruleset, *, at: datetime) -> list[Sql]:
    """What each rule gives, by position, over `c` and `sums` (which may be missing: nothing happened). A bundle's sum
    stands at the place of its first rule."""
    points = compiler.points(ruleset, at=at, contact="c")
    for position, rule in enumerate(rules_of(ruleset)):
        if rule.condition is None:
            gained = Sql(f"COALESCE({SUMS}.r{position}, 0) * {rule.points!r}::float8", [])
            points[position] = compiler.within_cap(rule, gained)
    for bundle in _bundles(ruleset):
        for position in bundle:
            points[position] = NOTHING
        points[bundle[0]] = Sql(f"COALESCE({SUMS}.b{bundle[0]}, 0)", [])
    return points


def _sums(ruleset: Ruleset, bounds: Sql, *, at: datetime, loosely: bool = False) -> Sql:
    """A query of contact_id and the sums of its events: `b` and the position of its first rule for each bundle, `r` and
    its position for each other rule. `loosely`: events after `at` count as fresh, unless their rule takes points."""
    bundles = list(_bundles(ruleset))
    bundled = {position for bundle in bundles for position in bundle}
    columns = [
        fill(
            f"sum({{gain}}) AS b{bundle[0]}",
            gain=_gain([rules_of(ruleset)[each] for each in bundle], at=at, loosely=loosely),
        )
        for bundle in bundles
    ]
    for position, rule in enumerate(rules_of(ruleset)):
        if rule.condition is None and position not in bundled:
            counted = fill("FILTER (WHERE {counts})", counts=_counts(rule, at=at, loosely=loosely))
            columns += [
                fill(f"{column.sql} AS {column.name}{position}", filter=counted) for column in compiler.faded(rule)
            ]
    picked = Sql(", ".join(column.text for column in columns), [param for column in columns for param in column.params])
    asked = " JOIN contacts c ON c.id = scored.contact_id" if _ASKS_CONTACT.search(picked.text) else ""
    return fill(
        f"SELECT {EVENT}.contact_id, {{picked}} FROM ({{events}}) {EVENT}{asked} GROUP BY {EVENT}.contact_id",
        picked=picked,
        events=_events(ruleset, bounds, at=at, loosely=loosely),
    )


def _counts(rule: Rule, *, at: datetime, loosely: bool) -> Sql:
    counts = compiler.counts(rule, at=at, contact="c")
    if not _asks_time(rule, loosely):
        return counts
    return join(" AND ", [counts, Sql(f"{EVENT}.occurred_at <= %s::timestamptz", [at])])


def _asks_time(rule: Rule, loosely: bool) -> bool:
    return loosely and rule.points < 0


def _gain(rules: Sequence[Rule], *, at: datetime, loosely: bool) -> Sql:
    """What the event at hand gives by all of these rules together."""
    by_type: dict[str, list[Sql]] = {}
    for rule in rules:
        gain = Sql(f"{rule.points!r}::float8 * {remaining_sql(rule.decay, AGE)}", [])
        if rule.within is not None or not _entry_tells_all(rule) or _asks_time(rule, loosely):
            counts = _counts(rule, at=at, loosely=loosely)
            gain = fill("CASE WHEN {counts} THEN {gain} ELSE 0 END", counts=counts, gain=gain)
        by_type.setdefault(rule.event, []).append(gain)
    arms = [
        fill("WHEN {type} THEN {gains}", type=Sql("%s", [kind]), gains=join(" + ", gains))
        for kind, gains in by_type.items()
    ]
    return Sql(
        f"CASE {EVENT}.type {' '.join(arm.text for arm in arms)} ELSE 0 END",
        [param for arm in arms for param in arm.params],
    )


def _events(ruleset: Ruleset, bounds: Sql, *, at: datetime, loosely: bool) -> Sql:
    """The events that any rule may count, each with its age. (`loosely`: all of them, the coming ones fresh.)"""
    age = "date_part('epoch', {at} - found.occurred_at)"
    tests = [bounds, Sql("found.processed", [])]
    if loosely:
        age = f"GREATEST(0, {age})"
    else:
        tests.append(Sql("found.type = ANY(%s)", [compiler.event_types(ruleset)]))
        tests.append(Sql("found.occurred_at <= %s::timestamptz", [at]))
    window = compiler.longest_window(ruleset)
    if window is not None:
        tests.append(Sql("found.occurred_at > %s::timestamptz", [at - window]))
        if not reads_index_alone(ruleset):  # the index does not know when an event was recorded
            tests.append(Sql("found.recorded_at > %s::timestamptz", [at - window - FURTHEST_AHEAD]))
    return fill(
        f"SELECT found.*, {age} AS age FROM contact_events found WHERE {{tests}}",
        at=Sql("%s::timestamptz", [at]),
        tests=join(" AND ", tests),
    )
