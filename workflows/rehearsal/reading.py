"""What a definition reads of the world: a rehearsal copies and replays that, and leaves the rest where it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from contacts.conditions.reading import ANY_EVENT, about_event, reads
from contacts.conditions.tree import Comparison, EventCount, Named
from contacts.models import Segment
from scoring.models import ScoringRule
from workflows.condition_nodes import ENROLMENTS
from workflows.versions import CompiledVersion

_OF_SCORES = frozenset({"score_threshold_crossed", "lifecycle_changed"})
_SCORED = frozenset({"score", "lifecycle_stage"})  # fields of a contact that the scoring rules decide

Types = frozenset[str] | None


@dataclass(frozen=True)
class Scope:
    """`loud`: the types of events that may set something going at once; `quiet`: those that are only asked for when
    something else happens; None: every type. `scores`: the scoring rules run along. `segments`: slugs of those that
    are kept along. `others`: whether contacts are in other journeys is asked for."""

    loud: Types
    quiet: Types
    scores: bool
    segments: frozenset[str]
    others: bool


def as_json(scope: Scope) -> dict[str, Any]:
    """For another process, which makes it a scope again by `from_json`."""
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in vars(scope).items()}


def from_json(said: Mapping[str, Any]) -> Scope:
    known: dict[str, Any] = {
        name: frozenset(value) if isinstance(value, list) else value for name, value in said.items()
    }
    return Scope(**known)


def scope_of(version: CompiledVersion) -> Scope:
    """Of a compiled definition, with the segments and the scoring rules of this database that it leans on."""
    trigger = version.definition.entry.trigger
    watched = {about for step in version.steps.values() for about in step.watches}
    watched |= {about for rule in version.exits for about in rule.abouts}
    if (event_type := trigger.event_type()) is not None:
        watched.add(about_event(event_type))
    steps = [part for step in version.steps.values() for part in (step.skip_if, step.prepared)]
    leaves = list(_leaves([version.where, version.audience, version.exits, steps]))
    asked = {about for leaf in leaves if not _is_scored(leaf) for about in reads(leaf).abouts}

    known = {segment.slug: frozenset(segment.reads) for segment in Segment.objects.filter(state="live")}
    segments = _segments(watched | asked, known)
    if event_type in ("segment_entered", "segment_left"):
        segments = set(known)
    loud = watched | {about for slug in segments for about in known[slug]}
    scores = bool(
        trigger.thresholds()
        or any(_is_scored(leaf) for leaf in leaves)
        or loud & {about_event(each) for each in _OF_SCORES}
    )
    if scores:
        signals = ScoringRule.objects.filter(ruleset__state="active").values_list("signal", flat=True)
        loud |= {about_event(signal["event"]) if "event" in signal else ANY_EVENT for signal in signals}
    return Scope(_types(loud), _types(asked), scores, frozenset(segments), ENROLMENTS in loud | asked)


def _segments(abouts: Iterable[str], known: Mapping[str, frozenset[str]]) -> set[str]:
    """Those that are asked for, and those that these ask for."""
    found: set[str] = set()
    wanted = {about.removeprefix("segment:") for about in abouts if about.startswith("segment:")} & known.keys()
    while wanted - found:
        found |= wanted
        wanted = {
            about.removeprefix("segment:") for slug in found for about in known[slug] if about.startswith("segment:")
        } & known.keys()
    return found


def _types(abouts: Iterable[str]) -> Types:
    names = set(abouts)
    if ANY_EVENT in names:
        return None
    return frozenset(about.removeprefix("event:") for about in names if about.startswith("event:"))


def _is_scored(leaf: Any) -> bool:
    return isinstance(leaf, Comparison) and leaf.target.space == "contact" and leaf.target.keys[0] in _SCORED


def _leaves(value: Any) -> Iterator[Comparison | EventCount | Named]:
    """The questions that stand anywhere in a value."""
    if isinstance(value, Comparison | Named):
        yield value
        return
    if isinstance(value, EventCount):
        yield value
    for inside in _inside(value):
        yield from _leaves(inside)


def _inside(value: Any) -> Iterable[Any]:
    if is_dataclass(value):
        return [getattr(value, each.name) for each in fields(value)]
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, tuple | list) else ()
