"""Everything that was counted at one card of the map, as a list to read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analytics.counting.overview import Overview, Post, Reactions, Step
from analytics.pages.journey_links import Links
from delivery import wording as delivery_wording
from workflows import wording
from workflows.builder import ports
from workflows.builder.layout.graph import TRIGGER
from workflows.definition.sentences import mapping, step_sentence, trigger_sentence
from workflows.pages.builder.numbers import percent
from workflows.steps import registry


@dataclass(frozen=True)
class Line:
    """`share`: of what stands above it, in per cent. `link`: exactly the people or messages that it counts."""

    words: str
    count: int
    share: str = ""
    link: str = ""


@dataclass(frozen=True)
class Details:
    """`parts`: a title with its lines; those without lines are left out."""

    name: str
    kind: str
    sentence: str
    icon: str
    group: str
    parts: tuple[tuple[str, tuple[Line, ...]], ...] = field(default=())


def details(read: Overview, definition: Mapping[str, Any], key: str, links: Links) -> Details | None:
    """None: the map has no such card."""
    if key == TRIGGER:
        return _trigger(read, definition, links)
    steps = ports.steps_of(definition)
    if key not in steps:
        return None
    step, counted = mapping(steps[key]), read.steps.get(key, Step())
    kind = registry.find(str(step.get("type")))
    parts = [
        ("People", _people(counted, key, links)),
        ("Where they went", _ways(step, counted)),
        ("Messages", _messages(counted.post, key, links)),
        ("Opened and clicked", _reactions(counted.post)),
        ("Why messages were not sent", _skipped(counted.post, key, links)),
    ]
    return Details(
        name=str(step.get("name") or (kind.label if kind else key)),
        kind=kind.label if kind else "",
        sentence=step_sentence(step),
        icon=kind.icon if kind else "help",
        group=kind.group if kind else "team",
        parts=tuple((title, lines) for title, lines in parts if lines),
    )


def _trigger(read: Overview, definition: Mapping[str, Any], links: Links) -> Details:
    refused = sum(read.refused.values())
    why = tuple(
        Line(wording.refusal(reason).capitalize(), count, percent(count, refused))
        for reason, count in read.refused.items()
    )
    people = (
        Line("Entered", read.fates.entered, link=links.entered()),
        Line("Not let in", refused, link=links.refused()),
    )
    return Details(
        name=trigger_sentence(mapping(definition.get("entry")).get("trigger")),
        kind="Trigger",
        sentence="",
        icon="bolt",
        group="trigger",
        parts=tuple((title, lines) for title, lines in (("People", people), ("Why not", why)) if lines),
    )


def _people(step: Step, key: str, links: Links) -> tuple[Line, ...]:
    went_on = sum(step.left.values())
    return (
        Line("Came here", step.entered),
        Line("Went on", went_on, percent(went_on, step.entered)),
        Line("Here now", step.here_now, link=links.here(key)),
        *([Line("Waiting, of those", step.waiting)] if step.waiting else []),
        *([Line("Reached the goal here", step.reached)] if step.reached else []),
    )


def _ways(step: Any, counted: Step) -> tuple[Line, ...]:
    """Nothing where there is one way only."""
    ways, left = ports.ports(step), counted.left
    total = sum(left.values())
    if len(ways) < 2:
        return ()
    told = {port: ports.caption(step, port) or port for port in ways}
    told |= {port: f"{port}, in another version" for port in left if port not in told}
    return tuple(Line(words, left.get(port, 0), percent(left.get(port, 0), total)) for port, words in told.items())


def _messages(post: Post, key: str, links: Links) -> tuple[Line, ...]:
    if post == Post():
        return ()
    other = [Line(delivery_wording.feedback(kind)[0], count) for kind, count in post.other.items()]
    return (
        Line("Asked for", post.wanted, link=links.messages(key, state="")),
        Line("Sent", post.sent, percent(post.sent, post.wanted)),
        Line("Taken by the provider", post.accepted, link=links.messages(key, state="accepted")),
        *([Line("Refused by the provider", post.rejected)] if post.rejected else []),
        *([Line("In doubt", post.in_doubt)] if post.in_doubt else []),
        Line("Delivered", post.delivered, percent(post.delivered, post.sent)),
        *other,
    )


def _reactions(post: Post) -> tuple[Line, ...]:
    if not post.sent:
        return ()
    return (*_by_whom("Opened", post.opened, post.sent), *_by_whom("Clicked", post.clicked, post.sent))


def _by_whom(word: str, of: Reactions, sent: int) -> tuple[Line, ...]:
    return (
        Line(f"{word} by people", of.unique, percent(of.unique, sent)),
        *([Line(f"{word} by people, every time", of.total)] if of.total != of.unique else []),
        *([Line(f"{word} by machines", of.unique_by_machines)] if of.unique_by_machines else []),
    )


def _skipped(post: Post, key: str, links: Links) -> tuple[Line, ...]:
    found = []
    for name, count in post.skipped.items():
        state, _, reason = name.partition(":")
        link = links.messages(key, state=state, reason=name if reason else "")
        found.append(Line(delivery_wording.verdict(state, reason), count, link=link))
    return tuple(found)
