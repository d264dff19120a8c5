"""Where cards stand and lines turn. Each step stands in the block of the last step that all ways to it pass: arms of
a branch side by side in their order, and a step where arms meet again centred below those that reach it. Lines that
go on past such a join have a lane of their own beside it. Pure.

Lengths are CSS pixels; a block's origin is the middle of the top edge of its first card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from workflows.builder.layout.graph import Arm, Tree

CARD_WIDTH, CARD_HEIGHT, STUB_HEIGHT = 272, 96, 30
BELOW = 60  # card to card
BELOW_ARMS = 112  # a card with several ways to the first cards of its arms: room for their captions and "+"
ABOVE_JOIN = 96  # the arms to the card where they meet: room for the line that gathers them, and a "+"
EMPTY_ARM, BETWEEN_ARMS = 150, 44
GATHERED = 50  # that line, above the card
LANE = 18  # between lines that run side by side
_MARGIN = 12


@dataclass
class Block:
    """`lanes`: where the line of an arm runs; `detours`: from which height on it runs elsewhere. `ahead`: arms that
    lead to something below the block. `entries`: where lines come in from above."""

    left: float
    right: float
    height: float
    places: dict[str, tuple[float, float]] = field(default_factory=dict)
    lanes: dict[Arm, float] = field(default_factory=dict)
    detours: dict[Arm, list[tuple[float, float]]] = field(default_factory=dict)
    ahead: dict[Arm, str] = field(default_factory=dict)
    entries: list[float] = field(default_factory=lambda: [0.0])
    members: set[str | Arm] = field(default_factory=set)

    def lane_of(self, arm: Arm) -> float:
        """At the lower edge."""
        turns = self.detours.get(arm)
        return turns[-1][1] if turns else self.lanes[arm]

    def put(self, other: Block, x: float, y: float) -> None:
        for node, (left, top) in other.places.items():
            self.places[node] = (left + x, top + y)
        for arm, lane in other.lanes.items():
            self.lanes[arm] = lane + x
        for arm, turns in other.detours.items():
            self.detours[arm] = [(height + y, lane + x) for height, lane in turns]
        self.ahead |= other.ahead
        self.members |= other.members


def block_of(tree: Tree) -> Block:
    """The whole tree. Every node is in `places`, every arm in `lanes`."""
    return _Builder(tree).block(tree.root)


class _Builder:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.rank = {node: number for number, node in enumerate(tree.order)}
        self.below: dict[str, list[str]] = {node: [] for node in tree.order}
        for node in tree.order[1:]:
            self.below[tree.above[node]].append(node)

    def block(self, node: str) -> Block:
        is_stub = node in self.tree.stubs
        width, height = (EMPTY_ARM, STUB_HEIGHT) if is_stub else (CARD_WIDTH, CARD_HEIGHT)
        block = Block(width / 2, width / 2, height, {node: (0.0, 0.0)}, members={node})
        ways = self.tree.ways[node]
        if not ways:
            return block
        joins = [each for each in self.below[node] if len(self.tree.before[each]) > 1]
        if len(ways) == 1 and not joins:
            self._straight_on(block, *ways[0])
            return block
        columns = [self._column(node, arm, target) for arm, target in ways]
        for join in sorted(joins, key=self.rank.__getitem__):
            columns = self._join(columns, node, join)
        _under(block, _side_by_side(columns), BELOW_ARMS)
        return block

    def _straight_on(self, block: Block, arm: Arm, target: str) -> None:
        block.lanes[arm] = 0.0
        if self.tree.above[target] != arm.step:
            block.ahead[arm] = target
        else:
            _under(block, self.block(target), BELOW)

    def _column(self, node: str, arm: Arm, target: str) -> Block:
        """An arm with all that stands in it alone; an empty one keeps a lane of its own."""
        if self.tree.above[target] == node and len(self.tree.before[target]) == 1:
            column = self.block(target)
            column.lanes[arm] = column.entries[0]
        else:
            column = Block(EMPTY_ARM / 2, EMPTY_ARM / 2, 0, lanes={arm: 0.0}, ahead={arm: target})
        column.members.add(arm)
        return column

    def _join(self, columns: list[Block], node: str, join: str) -> list[Block]:
        """The columns that reach `join`, and those between them, become one with the join below it."""
        sources: set[str | Arm] = set()
        for arm in self.tree.before[join]:
            sources |= {arm} if arm.step == node else {arm, arm.step}
        reaching = [number for number, column in enumerate(columns) if column.members & sources]
        first, last = reaching[0], reaching[-1]
        gathered, below = _side_by_side(columns[first : last + 1]), self.block(join)
        coming_in = [gathered.lane_of(arm) for arm, target in gathered.ahead.items() if target == join]
        gathered.ahead = {arm: target for arm, target in gathered.ahead.items() if target != join}
        aside = _beside(gathered, below, coming_in)
        top = gathered.height + ABOVE_JOIN + LANE * max(0, max(map(len, aside.values())) - 1)
        for side, arms in aside.items():
            for number, (arm, lane) in enumerate(arms, start=1):
                gathered.detours.setdefault(arm, []).append((top - GATHERED - LANE * number, side * lane))
            if arms and side < 0:
                below.left = arms[-1][1] + LANE
            elif arms:
                below.right = arms[-1][1] + LANE
        gathered.put(below, 0, top)
        gathered.left, gathered.right = max(gathered.left, below.left), max(gathered.right, below.right)
        gathered.height = top + below.height
        return [*columns[:first], gathered, *columns[last + 1 :]]


def _beside(gathered: Block, below: Block, coming_in: Sequence[float]) -> dict[int, list[tuple[Arm, float]]]:
    """The arms that go on past the block below and would run through it, or on one that is led around it: by the side
    (-1, 1) on which they pass it, each with how far from the middle; the innermost first. `coming_in`: the lanes of
    those that end at the block, which are kept free."""
    sides: dict[int, list[tuple[Arm, float]]] = {-1: [], 1: []}
    for arm in sorted(gathered.ahead, key=lambda arm: abs(gathered.lane_of(arm))):
        lane = gathered.lane_of(arm)
        side, edge = (-1, below.left) if lane < 0 else (1, below.right)
        last = sides[side][-1][1] if sides[side] else edge
        if abs(lane) < last + _MARGIN:
            free = last + LANE
            while any(abs(side * free - each) < LANE / 2 for each in coming_in):
                free += LANE
            sides[side].append((arm, free))
    return sides


def _under(block: Block, lower: Block, gap: float) -> None:
    block.left, block.right = max(block.left, lower.left), max(block.right, lower.right)
    top = block.height + gap
    block.put(lower, 0, top)
    block.height = top + lower.height


def _side_by_side(columns: Sequence[Block]) -> Block:
    """Its origin lies half way between the outermost lines that come in."""
    middles: list[float] = []
    for number, column in enumerate(columns):
        last = columns[number - 1]
        middles.append(middles[-1] + last.right + BETWEEN_ARMS + column.left if middles else column.left)
    first, last_entry = middles[0] + columns[0].entries[0], middles[-1] + columns[-1].entries[-1]
    middle = (first + last_entry) / 2
    left, right = middle - (middles[0] - columns[0].left), middles[-1] + columns[-1].right - middle
    row = Block(left, right, max(column.height for column in columns), entries=[])
    for column, at in zip(columns, middles, strict=True):
        row.put(column, at - middle, 0)
        row.entries += [entry + at - middle for entry in column.entries]
    return row


def widest(blocks: Iterable[Block]) -> float:
    return max((block.left + block.right for block in blocks), default=0.0)
