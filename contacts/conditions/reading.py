"""What a condition reads: after which changes its truth about a contact may be another one, and whether time alone may
do it. Segments are kept by this. Pure.

Abouts: `event:<type>` · `event:*` (any event) · `attribute` · `field` · `tag` · `list` · `segment:<slug>` ·
`consent` · `workflow` (a contact's enrolments). Upper floors say what their fields and nodes read when they register
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contacts.conditions.builtin import NODES
from contacts.conditions.fields import field_of
from contacts.conditions.operators import OPERATORS
from contacts.conditions.tree import All, AnyOf, Comparison, Condition, EventCount, Named, Not, Ref, Target

ANY_EVENT = "event:*"


@dataclass(frozen=True)
class Reads:
    """`segments`: the slugs whose membership is asked for; they are among `abouts`, too."""

    abouts: frozenset[str]
    moves_with_time: bool
    segments: frozenset[str]


def reads(condition: Condition) -> Reads:
    """Everything that a condition of scope contact reads."""
    nodes = list(_walk(condition))
    return Reads(
        abouts=frozenset(about for node in nodes for about in _abouts(node)),
        moves_with_time=any(_moves_with_time(node) for node in nodes),
        segments=frozenset(node.name for node in nodes if isinstance(node, Named) and node.kind == "in_segment"),
    )


def about_event(kind: str) -> str:
    return f"event:{kind}"


def about_segment(slug: str) -> str:
    return f"segment:{slug}"


def _walk(condition: Condition) -> Iterator[Condition]:
    yield condition
    match condition:
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from _walk(part)
        case Not(part):
            yield from _walk(part)
        case EventCount(where=inside) if inside is not None:
            yield from _walk(inside)


def _abouts(node: Condition) -> frozenset[str]:
    match node:
        case Comparison(target, _, value):
            return _of_target(target) | (_of_target(value.target) if isinstance(value, Ref) else frozenset())
        case EventCount(kind):
            return frozenset({about_event(kind)})
        case Named(kind, name):
            return frozenset(about.replace("{name}", name) for about in NODES[kind].reads)
        case _:
            return frozenset()


def _of_target(target: Target) -> frozenset[str]:
    if target.space == "contact":
        return field_of(target).reads
    return frozenset({"attribute"}) if target.space == "attributes" else frozenset()


def _moves_with_time(node: Condition) -> bool:
    match node:
        case Comparison(target, op, _):
            in_time = target.space == "contact" and field_of(target).moves_with_time
            return in_time or OPERATORS[op].takes == "window"
        case EventCount(within=within):
            return within is not None
        case Named(kind, _):
            return NODES[kind].moves_with_time
        case _:
            return False
