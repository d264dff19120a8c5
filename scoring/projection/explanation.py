"""Why a score is what it is: rule by rule, event by event, at any instant, and which bounds acted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from contacts.conditions import Sql
from contacts.conditions.fragment import fill, join
from scoring.projection import compiler
from scoring.rulesets import reading, wording
from scoring.rulesets.arithmetic import Sum, fold, rules_of, tree_of
from scoring.rulesets.decay import remaining
from scoring.rulesets.rules import LEAD, Rule, Ruleset

EVENTS_SHOWN = 50  # of each rule, newest first
_GAINED = "gained"


@dataclass(frozen=True)
class ScoredEvent:
    """`raw` is what the event was worth when it was fresh, `decayed` what is left of it (before the rule's cap). Both
    are 0 where `note` says why the event gives nothing, although the rule counts it."""

    event_id: int
    type: str
    occurred_at: datetime
    raw: float
    decayed: float
    note: str = ""


@dataclass(frozen=True)
class RuleShare:
    """What one rule contributes. `raw` is the sum without decay and cap, `decayed` the sum without cap, `points` what
    the rule gives; what groups, parts and the whole make of it is told by `Explanation.adjustments`.

    `event_count` events give points, `left_out_count` more do not, as `repeat` says. `events` holds the newest of both,
    at most EVENTS_SHOWN. `part` is the score that a combined one takes the rule from; empty for its own."""

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
    position: int = 0
    part: str = ""
    group: str = ""
    repeat: Mapping[str, Any] | None = None
    human_only: bool = True
    left_out_count: int = 0


@dataclass(frozen=True)
class Adjustment:
    """What a bound or a weight does to a sum: it adds `points` (mostly less than 0).

    `kind` is group_cap (`name`: the group; `part`: whose it is, empty for the ruleset's own), part_cap and weight
    (`name`: the part) or total_cap (no name). `bound` is the cap, or the weight. `text` says it in English, without the
    points: "Email is held at 20"."""

    kind: str
    name: str
    part: str
    bound: float
    points: float
    text: str


@dataclass(frozen=True)
class Explanation:
    """`score` equals the sum of `points` over `rules` and `adjustments`, but for the rounding of each to 6 decimals.
    `ruleset` is e.g. "lead v3", empty when no ruleset is active; `weights` are those of the parts that it adds."""

    score: float
    at: datetime
    ruleset: str
    mql_threshold: float | None
    rules: tuple[RuleShare, ...]
    adjustments: tuple[Adjustment, ...] = ()
    weights: Mapping[str, float] | None = None


def explain(contact_id: int, at: datetime, name: str = LEAD, ruleset: Ruleset | None = None) -> Explanation:
    """The score of a contact at `at`, taken apart, under the active rules of `name` or under `ruleset`. Three
    statements. Raises LookupError if there is no such contact."""
    ruleset = ruleset or reading.active_ruleset(name)
    if ruleset is None:
        return Explanation(score=0.0, at=at, ruleset="", mql_threshold=None, rules=())
    rules = rules_of(ruleset)
    score, *figures = _figures(ruleset, contact_id, at)
    events = _events(ruleset, contact_id, at)
    parts = _parts(ruleset)
    shares, exact = [], []
    for position, rule in enumerate(rules):
        unrounded, points, decayed, giving, counted = figures[position * 5 : position * 5 + 5]
        exact.append(unrounded)
        shares.append(
            RuleShare(
                name=rule.name,
                signal=rule.signal,
                decay=rule.fading,
                cap=rule.cap,
                raw=decayed if rule.condition is not None else rule.points * giving,
                decayed=decayed,
                points=points,
                capped=points != decayed,
                event_count=giving,
                events=tuple(events.get(position, ())),
                position=position,
                part=parts[position],
                group=rule.group,
                repeat=rule.repeating,
                human_only=rule.human_only,
                left_out_count=counted - giving,
            )
        )
    return Explanation(
        score=score,
        at=at,
        ruleset=ruleset.label,
        mql_threshold=ruleset.mql_threshold,
        rules=tuple(shares),
        adjustments=tuple(each for each in _adjustments(ruleset, exact) if each.points),
        weights={part.name: part.weight for part in ruleset.parts},
    )


def _figures(ruleset: Ruleset, contact_id: int, at: datetime) -> tuple[Any, ...]:
    """The score, and for each rule its points (unrounded and rounded), the same without the cap, and how many events
    give them, of how many that it counts. Every condition is evaluated once."""
    rules = rules_of(ruleset)
    gained = [Sql(f"{_GAINED}.g{position}", []) for position in range(len(rules))]
    points = [compiler.within_cap(rule, gain) for rule, gain in zip(rules, gained, strict=True)]
    picked = [compiler.total(ruleset, points)]
    for position, rule in enumerate(rules):
        numbers = ("0", "0") if rule.condition is not None else (f"sums.n{position}", f"sums.m{position}")
        picked += [
            points[position],
            compiler.rounded([points[position]]),
            compiler.rounded([gained[position]]),
            *(Sql(number, []) for number in numbers),
        ]
    gains = [
        fill(f"{{gain}} AS g{position}", gain=gain)
        for position, gain in enumerate(compiler.gains(ruleset, at=at, contact="c"))
    ]
    statement = fill(
        f"SELECT {{picked}} FROM contacts c CROSS JOIN LATERAL ({{sums}}) {compiler.SUMS} "
        f"CROSS JOIN LATERAL (SELECT {{gains}} OFFSET 0) {_GAINED} WHERE c.id = {{contact}}",
        picked=_listed(picked),
        sums=compiler.aggregate(ruleset, at=at, contact="c", until=at, columns=_faded_and_counted),
        gains=_listed(gains or [Sql("1", [])]),
        contact=Sql("%s", [contact_id]),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.params)
        row = cursor.fetchone()
    if row is None:
        raise LookupError(f"no contact {contact_id}")
    return row


def _faded_and_counted(rule: Rule) -> tuple[compiler.Column, ...]:
    return (*compiler.faded(rule), compiler.giving(rule), compiler.Column("m", "count(*) {filter}"))


def _adjustments(ruleset: Ruleset, points: Sequence[float]) -> Iterator[Adjustment]:
    """What every bound and weight does, from the inside outwards. `points` are unrounded."""
    tree = tree_of(ruleset)
    parts = {part.name for part in ruleset.parts}
    for node in tree.terms[len(tree.terms) - len(parts) :]:
        # a part is the last of the terms; its groups are inside
        if isinstance(node, Sum):
            yield from _of_groups(node, points, part=node.name)
            yield from _of_bound("part_cap", node, points, part=node.name)
            yield from _of_weight(node, points)
    yield from _of_groups(Sum(tree.terms[: len(tree.terms) - len(parts)]), points, part="")
    yield from _of_bound("total_cap", tree, points, part="")


def _of_groups(node: Sum, points: Sequence[float], *, part: str) -> Iterator[Adjustment]:
    for term in node.terms:
        if isinstance(term, Sum):
            yield from _of_bound("group_cap", term, points, part=part)


def _of_bound(kind: str, node: Sum, points: Sequence[float], *, part: str) -> Iterator[Adjustment]:
    if node.cap is not None:
        added, held = _value(Sum(node.terms), points), _value(Sum(node.terms, node.cap), points)
        yield _adjustment(kind, node.name, part, node.cap, held - added)


def _of_weight(node: Sum, points: Sequence[float]) -> Iterator[Adjustment]:
    held = _value(Sum(node.terms, node.cap), points)
    yield _adjustment("weight", node.name, node.name, node.weight, _value(node, points) - held)


def _adjustment(kind: str, name: str, part: str, bound: float, points: float) -> Adjustment:
    rounded = round(points, compiler.DECIMALS) + 0.0  # no −0
    return Adjustment(kind, name, part, bound, rounded, wording.adjustment(kind, name, bound))


def _value(node: Sum, points: Sequence[float]) -> float:
    """The arithmetic of the compiler, in Python."""
    return fold(
        node,
        points,
        add=lambda values: sum(values, 0.0),
        bound=lambda value, cap: max(-cap, min(cap, value)),
        scale=lambda value, weight: value * weight,
    )


def _parts(ruleset: Ruleset) -> list[str]:
    """From which part each rule comes, by position."""
    return [
        *[""] * len(ruleset.rules),
        *(part.name for part in ruleset.parts for _ in part.ruleset.rules),
    ]


def _events(ruleset: Ruleset, contact_id: int, at: datetime) -> dict[int, list[ScoredEvent]]:
    """The newest events that each event rule counts, by the rule's position. One statement for all rules."""
    rules = rules_of(ruleset)
    newest = []
    for position, rule in enumerate(rules):
        if rule.condition is not None:
            continue
        newest.append(
            fill(
                f"(SELECT {position}, scored.id, scored.occurred_at, scored.age, {_gives(rule)} FROM contacts c "
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
        for position, event_id, occurred_at, age, gives in cursor.fetchall():
            rule = rules[position]
            left = remaining(rule.decay, age) if gives else 0.0
            found.setdefault(position, []).append(
                ScoredEvent(
                    event_id=event_id,
                    type=rule.event,
                    occurred_at=occurred_at,
                    raw=rule.points if gives else 0.0,
                    decayed=round(rule.points * left, compiler.DECIMALS) + 0.0,
                    note="" if gives else wording.left_out(rule.repeating),
                )
            )
    # the branches of a union come in no promised order
    return {position: sorted(events, key=_newest_first) for position, events in found.items()}


def _newest_first(event: ScoredEvent) -> tuple[float, int]:
    return -event.occurred_at.timestamp(), -event.event_id


def _gives(rule: Rule) -> str:
    """Whether the event at hand gives points: of those that repeat, the newest one (of its period)."""
    if rule.repeat.policy == "every_time":
        return "TRUE"
    each = f"PARTITION BY {compiler.period(rule)} " if rule.repeat.policy == "once_per" else ""
    return f"row_number() OVER ({each}ORDER BY scored.occurred_at DESC, scored.id DESC) = 1"


def _listed(parts: Sequence[Sql]) -> Sql:
    return Sql(", ".join(part.text for part in parts), [param for part in parts for param in part.params])
