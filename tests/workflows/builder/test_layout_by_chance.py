"""Three thousand journeys made at random, each drawn and measured."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.workflows.builder.scribbled import scribbled
from workflows.builder.layout.blocks import CARD_HEIGHT, CARD_WIDTH
from workflows.builder.layout.drawing import Card, Drawing, Line, draw
from workflows.builder.layout.graph import TRIGGER

JOURNEYS, PARTS = 3000, 10
PLUS = 12  # half its width, and half its height
CAPTION_HALF_WIDTH, CAPTION_HALF_HEIGHT = 40, 11


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_is_made_of_a_journey_its_map_can_be_read(part):
    for seed in range(part, JOURNEYS, PARTS):
        definition = scribbled(seed, deeds=6 + seed % 40)
        drawing = draw(definition)
        assert faults(drawing) == [], seed
        assert sorted(card.key for card in drawing.cards) == sorted([TRIGGER, *definition["steps"]]), seed
        assert draw(shuffled(definition, seed)) == drawing, seed


def shuffled(definition: dict[str, Any], seed: int) -> dict[str, Any]:
    """The same journey, stored in another order."""
    chance = random.Random(seed)
    keys = list(definition["steps"])
    chance.shuffle(keys)
    steps = {}
    for key in keys:
        ways = list(definition["steps"][key]["next"].items())
        chance.shuffle(ways)
        steps[key] = {**definition["steps"][key], "next": dict(ways)}
    return {**definition, "steps": steps}


def faults(drawing: Drawing) -> list[str]:
    """What keeps a map from being read, in words."""
    cards = drawing.cards
    found = [f"{a.key} lies on {b.key}" for n, a in enumerate(cards) for b in cards[n + 1 :] if _overlap(a, b)]
    for line in drawing.lines:
        turns = corners(line.path)
        for (ax, ay), (bx, by) in pairwise(turns):
            left, right, top, bottom = min(ax, bx), max(ax, bx), min(ay, by), max(ay, by)
            for card in cards:
                if card.key not in (line.arm.step, line.target) and _touches(card, left, right, top, bottom):
                    found.append(f"the line of {line.arm} runs through {card.key}")
        x, y = line.plus_x, line.plus_y
        found += [f"the + of {line.arm} lies on {card.key}" for card in cards if _at(card, x, y, PLUS, PLUS)]
        if line.forked:
            x, y = line.caption_x, line.caption_y
            wide, high = CAPTION_HALF_WIDTH, CAPTION_HALF_HEIGHT
            found += [f"the caption of {line.arm} lies on {card.key}" for card in cards if _at(card, x, y, wide, high)]
    places = [(line.plus_x, line.plus_y, str(line.arm)) for line in drawing.lines]
    places += [(trunk.x, trunk.y, f"above {trunk.before}") for trunk in drawing.trunks]
    for number, (x, y, name) in enumerate(places):
        for other_x, other_y, other in places[number + 1 :]:
            if abs(x - other_x) < 2 * PLUS and abs(y - other_y) < 2 * PLUS:
                found.append(f"the + of {name} lies on that of {other}")
    edges = [(card.x, card.y) for card in cards]
    edges += [place for line in drawing.lines for place in corners(line.path)]
    for x, y in edges:
        if not (-1 <= x <= drawing.width + 1 and -1 <= y <= drawing.height + 1):
            found.append(f"({x}, {y}) is outside the map")
    return found + list(_confusions(drawing))


def _confusions(drawing: Drawing) -> Iterator[str]:
    """Lines from different steps to different steps that run on one another: one could not tell where they lead."""
    along: dict[tuple[str, float], list[tuple[float, float, Line]]] = {}
    for line in drawing.lines:
        for (ax, ay), (bx, by) in pairwise(corners(line.path)):
            if ax == bx and abs(ay - by) > 1:
                along.setdefault(("down", round(ax)), []).append((min(ay, by), max(ay, by), line))
            elif ay == by and abs(ax - bx) > 1:
                along.setdefault(("across", round(ay)), []).append((min(ax, bx), max(ax, bx), line))
    for pieces in along.values():
        for number, (start, stop, line) in enumerate(pieces):
            for other_start, other_stop, other in pieces[number + 1 :]:
                apart = line.arm.step != other.arm.step and line.target != other.target
                if apart and min(stop, other_stop) - max(start, other_start) > 4:
                    yield f"the lines of {line.arm} and {other.arm} run on one another"


def corners(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)]


def _overlap(one: Card, other: Card) -> bool:
    return abs(one.x - other.x) < CARD_WIDTH and abs(one.y - other.y) < CARD_HEIGHT


def _touches(card: Card, left: float, right: float, top: float, bottom: float) -> bool:
    """A pixel at the edge does not count."""
    beside = right <= card.x + 1 or left >= card.x + CARD_WIDTH - 1
    return not (beside or bottom <= card.y + 1 or top >= card.y + CARD_HEIGHT - 1)


def _at(card: Card, x: float, y: float, wide: float, high: float) -> bool:
    return _touches(card, x - wide, x + wide, y - high, y + high)
