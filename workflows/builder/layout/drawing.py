"""The whole map: cards, lines with their captions, the places of "+", ends. Pure.

The journey stands on the left; what nothing leads to stands to its right, each piece below the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.builder.layout import blocks
from workflows.builder.layout.blocks import BELOW, CARD_HEIGHT, CARD_WIDTH, GATHERED, STUB_HEIGHT, Block
from workflows.builder.layout.graph import Arm, Stub, Tree, trees

FORK = 26  # from a card with several ways down to the line from which they part
_CAPTION = FORK + 22
_PLUS_OF_ARM = FORK + 60
_PLUS_ABOVE_JOIN = 26
_ROUND = 12  # the radius of a turn
_APART = 120  # the journey to the pieces beside it
_BETWEEN_PIECES = 72


@dataclass(frozen=True)
class Card:
    """`key`: a step's, or `TRIGGER`. `apart`: nothing leads to it."""

    key: str
    x: float
    y: float
    apart: bool = False


@dataclass(frozen=True)
class Line:
    """`path`: SVG. `target`: the step's key, empty at an end. (`caption_x`, `caption_y`) and (`plus_x`, `plus_y`) are
    middles. `meets`: other lines come into the same card."""

    arm: Arm
    target: str
    path: str
    forked: bool
    meets: bool
    caption_x: float
    caption_y: float
    plus_x: float
    plus_y: float


@dataclass(frozen=True)
class Trunk:
    """The "+" above a card where lines meet: a step there is met by all of them."""

    before: str
    x: float
    y: float


@dataclass(frozen=True)
class End:
    stub: Stub
    x: float
    y: float


@dataclass(frozen=True)
class Drawing:
    """`cards` in the order in which one meets them. Lengths are CSS pixels, to a tenth."""

    width: float
    height: float
    cards: tuple[Card, ...]
    lines: tuple[Line, ...]
    trunks: tuple[Trunk, ...]
    ends: tuple[End, ...]


def draw(definition: Mapping[str, Any]) -> Drawing:
    journey, *pieces = trees(definition)
    placed = [(journey, blocks.block_of(journey), 0.0, 0.0)]
    main = placed[0][1]
    x, y, height = main.left + main.right + _APART, 0.0, main.height
    for piece in pieces:
        block = blocks.block_of(piece)
        placed.append((piece, block, x, y))
        y += block.height + _BETWEEN_PIECES
        height = max(height, y - _BETWEEN_PIECES)
    aside = blocks.widest(block for _, block, _, _ in placed[1:])
    width = x + aside if pieces else main.left + main.right
    parts = [_Part(tree, block, left + block.left, top) for tree, block, left, top in placed]
    return Drawing(
        width=width,
        height=height,
        cards=tuple(card for number, part in enumerate(parts) for card in part.cards(apart=number > 0)),
        lines=tuple(line for part in parts for line in part.lines()),
        trunks=tuple(trunk for part in parts for trunk in part.trunks()),
        ends=tuple(end for part in parts for end in part.ends()),
    )


class _Part:
    """One tree, with its origin at (`x`, `y`)."""

    def __init__(self, tree: Tree, block: Block, x: float, y: float) -> None:
        self.tree, self.block, self.x, self.y = tree, block, x, y

    def at(self, node: str) -> tuple[float, float]:
        """The middle of its upper edge."""
        x, y = self.block.places[node]
        return round(x + self.x, 1), round(y + self.y, 1)

    def cards(self, *, apart: bool) -> list[Card]:
        nodes = [node for node in self.tree.order if node not in self.tree.stubs]
        return [Card(node, self.at(node)[0] - CARD_WIDTH / 2, self.at(node)[1], apart) for node in nodes]

    def ends(self) -> list[End]:
        return [End(stub, *self.at(node)) for node, stub in self.tree.stubs.items()]

    def trunks(self) -> list[Trunk]:
        joins = [node for node in self.tree.order if len(self.tree.before[node]) > 1]
        return [Trunk(join, self.at(join)[0], self.at(join)[1] - GATHERED / 2 + 1) for join in joins]

    def lines(self) -> list[Line]:
        return [self._line(arm, target) for node in self.tree.order for arm, target in self.tree.ways[node]]

    def _line(self, arm: Arm, target: str) -> Line:
        x, y = self.at(arm.step)
        y += STUB_HEIGHT if arm.step in self.tree.stubs else CARD_HEIGHT
        forked = len(self.tree.ways[arm.step]) > 1
        meets = len(self.tree.before[target]) > 1
        lane = round(self.block.lanes[arm] + self.x, 1)
        end_x, end_y = self.at(target)
        points, at = [(x, y)], lane
        if lane != x:
            points += [(x, y + FORK), (lane, y + FORK)]
        for turn_y, turn_x in self.block.detours.get(arm, ()):
            before, at = at, round(turn_x + self.x, 1)
            points += [(before, turn_y + self.y), (at, turn_y + self.y)]
        if meets and at != end_x:
            points += [(at, end_y - GATHERED), (end_x, end_y - GATHERED)]
        points.append((end_x, end_y))
        plus = _PLUS_OF_ARM if forked else _PLUS_ABOVE_JOIN if meets else BELOW / 2
        return Line(
            arm=arm,
            target="" if target in self.tree.stubs else target,
            path=path(points),
            forked=forked,
            meets=meets,
            caption_x=lane,
            caption_y=y + _CAPTION,
            plus_x=lane,
            plus_y=y + plus,
        )


def path(points: list[tuple[float, float]]) -> str:
    """Straight pieces with rounded turns."""
    said = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for before, turn, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(_ROUND, _apart(before, turn) / 2, _apart(turn, after) / 2)
        (in_x, in_y), (out_x, out_y) = _direction(before, turn), _direction(turn, after)
        if (in_x, in_y) == (out_x, out_y):
            continue
        start = f"{turn[0] - in_x * radius:.1f} {turn[1] - in_y * radius:.1f}"
        end = f"{turn[0] + out_x * radius:.1f} {turn[1] + out_y * radius:.1f}"
        said.append(f"L{start}Q{turn[0]:.1f} {turn[1]:.1f} {end}")
    said.append(f"L{points[-1][0]:.1f} {points[-1][1]:.1f}")
    return "".join(said)


def _apart(one: tuple[float, float], other: tuple[float, float]) -> float:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _direction(start: tuple[float, float], end: tuple[float, float]) -> tuple[int, int]:
    x, y = end[0] - start[0], end[1] - start[1]
    return (x > 0) - (x < 0), (y > 0) - (y < 0)
