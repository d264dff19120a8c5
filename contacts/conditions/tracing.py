"""Conditions that also say what they read: one statement decides, and brings the values home that it decided on.

The leaves of a condition (comparisons, counted events, named nodes) are evaluated once each, in the order in which they
are written. What is kept of them are the values alone: the condition, which says whose values they are, never changes
once it is published."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contacts.conditions.explain import explain
from contacts.conditions.fields import operand
from contacts.conditions.fragment import FALSE, TRUE, Sql, fill, join
from contacts.conditions.sql import Aliases, compile_condition
from contacts.conditions.tree import All, AnyOf, Comparison, Condition, EventCount, Named, Not

CLIPPED = 80  # characters of a text that are kept
SHORT = 300  # characters of an array that is kept as it is
SEEN = "seen"  # the alias of the leaves


@dataclass(frozen=True)
class Traced:
    """Parts of a statement `SELECT … FROM … CROSS JOIN LATERAL {leaves} WHERE …`.

    `truths`: a boolean for each condition. `values`: one jsonb array for all of them, in the order of `leaves_of`: the
    value that a comparison read, and whether any other leaf was true; `shortened` makes it fit to be kept. Neither has
    parameters; `leaves` has."""

    truths: tuple[str, ...]
    values: str
    leaves: Sql


def trace(conditions: Sequence[Condition], *, now: datetime, aliases: Aliases) -> Traced:
    """The parts of a statement over `aliases` that decides all `conditions` and says what it read."""
    found = leaves_of(conditions)
    columns: list[Sql] = []
    values: list[str] = []
    for number, leaf in enumerate(found):
        truth = compile_condition(leaf, now=now, aliases=aliases)
        columns.append(fill(f"{{t}} AS l{number}", t=truth))
        if isinstance(leaf, Comparison):
            columns.append(fill(f"{{v}} AS v{number}", v=_value(leaf, now, aliases)))
        values.append(f"{SEEN}.v{number}" if isinstance(leaf, Comparison) else f"to_jsonb({SEEN}.l{number})")
    places = {leaf: number for number, leaf in enumerate(found)}
    listed = Sql(", ".join(column.text for column in columns), [param for column in columns for param in column.params])
    return Traced(
        truths=tuple(_over(condition, places).text for condition in conditions),
        values=f"jsonb_build_array({', '.join(values)})",
        # OFFSET 0 keeps the planner from evaluating a leaf again at each place that it is used
        leaves=fill(f"(SELECT {{l}} OFFSET 0) AS {SEEN}", l=listed),
    )


def leaves_of(conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    """What is evaluated, each leaf once."""
    return tuple(dict.fromkeys(leaf for condition in conditions for leaf in _leaves(condition)))


def told(conditions: Sequence[Condition], values: Sequence[Any]) -> list[dict[str, Any]]:
    """What was read, in words: [{"asked": sentence, "read": value}], from an array that `trace` made of the same
    conditions."""
    return [
        {"asked": explain(leaf), "read": value}
        for leaf, value in zip(leaves_of(conditions), values, strict=False)  # an erased journal has none
    ]


def _leaves(condition: Condition) -> Iterator[Condition]:
    match condition:
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from _leaves(part)
        case Not(part):
            yield from _leaves(part)
        case Comparison() | EventCount() | Named():
            yield condition


def _over(condition: Condition, places: dict[Condition, int]) -> Sql:
    """The condition over the leaves that were evaluated already."""
    match condition:
        case All(parts):
            return join(" AND ", (_over(part, places) for part in parts)) if parts else TRUE
        case AnyOf(parts):
            return join(" OR ", (_over(part, places) for part in parts)) if parts else FALSE
        case Not(part):
            return fill("(NOT {t})", t=_over(part, places))
        case _:
            return Sql(f"{SEEN}.l{places[condition]}", [])


def _value(leaf: Comparison, now: datetime, aliases: Aliases) -> Sql:
    found = operand(
        leaf.target,
        contact=aliases.contact,
        event=aliases.event,
        trigger=aliases.trigger,
        now=now,
        attributes=aliases.attributes,
    )
    return found if leaf.target.type == "json" else fill("to_jsonb({o})", o=found)


def shortened(values: str) -> str:
    """An array of values, as JSON text, short enough to be kept for everybody."""
    if len(values) <= SHORT:
        return values
    return json.dumps([_clip(value) for value in json.loads(values)], ensure_ascii=False)


def _clip(value: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return value if len(text) <= CLIPPED else f"{text[:CLIPPED]}…"
