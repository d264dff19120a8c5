"""What was counted, as the cards and lines of a journey's map show it. Pure.

The server writes every number, here; a browser only puts in place what it is sent, so the two never differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.html import format_html

from analytics.counting.overview import Overview, Post, Step
from analytics.counting.standing import Standing
from analytics.pages.journey_links import Links
from workflows.builder import ports
from workflows.builder.layout.graph import TRIGGER, Arm
from workflows.pages.builder.numbers import Number, Rows, drawn, percent

# -- while somebody draws ---------------------------------------------------------------------------------------------


def of_standing(read: Standing) -> dict[str, Rows]:
    """By the card's key; none of a card that nobody came to."""
    cards: dict[str, Rows] = {
        step: [[Number("entered", place.entered, "entered"), Number("here", place.here_now, "here now")]]
        for step, place in read.steps.items()
    }
    if read.entered or read.refused:
        refused = [Number("refused", read.refused, "not let in")] if read.refused else []
        cards[TRIGGER] = [[Number("entered", read.entered, "entered"), *refused]]
    return cards


# -- results ----------------------------------------------------------------------------------------------------------


def of_results(read: Overview, definition: Mapping[str, Any], links: Links) -> dict[str, Rows]:
    """Of every card of the map, by its key."""
    cards: dict[str, Rows] = {TRIGGER: [_trigger(read, links)]}
    for key in ports.steps_of(definition):
        cards[key] = _rows(key, read.steps.get(key, Step()), links)
    return cards


def _trigger(read: Overview, links: Links) -> list[Number]:
    refused = sum(read.refused.values())
    return [
        Number("entered", read.fates.entered, "entered", links.entered()),
        *([Number("refused", refused, "not let in", links.refused())] if refused else []),
    ]


def _rows(key: str, step: Step, links: Links) -> list[list[Number]]:
    rows = [
        [
            Number("entered", step.entered, "entered"),
            Number("here", step.here_now, "here now", links.here(key)),
            *([Number("reached", step.reached, "reached it")] if step.reached else []),
        ]
    ]
    post = step.post
    if post != Post():
        stopped = sum(post.skipped.values())
        machines = post.opened.unique_by_machines
        rows += [
            [
                Number("sent", post.sent, "sent"),
                Number("delivered", post.delivered, "delivered"),
                *([Number("skipped", stopped, "skipped")] if stopped else []),
            ],
            [
                Number("opened", post.opened.unique, "opened"),
                Number("clicked", post.clicked.unique, "clicked"),
                *([Number("machines", machines, "by machines")] if machines else []),
            ],
        ]
    return rows


def shares(read: Overview, definition: Mapping[str, Any]) -> dict[Arm, str]:
    """Of each way out of a step that has several: the share of those who left it that took this way."""
    found: dict[Arm, str] = {}
    for key, step in ports.steps_of(definition).items():
        ways = ports.ports(step)
        left = read.steps.get(key, Step()).left
        total = sum(left.values())
        if len(ways) > 1:
            found |= {Arm(key, port): percent(left.get(port, 0), total) for port in ways}
    return found


# -- as HTML ----------------------------------------------------------------------------------------------------------


def parts(cards: Mapping[str, Rows], of_arms: Mapping[Arm, str] | None = None) -> dict[str, str]:
    """What the page puts into the elements with these ids."""
    found: dict[str, str] = {f"numbers-{key}": html for key, html in drawn(cards).items()}
    for arm, share in (of_arms or {}).items():
        found[f"share-{arm.step}-{arm.port}"] = format_html("{}", share)
    return found
