"""A draft as a graph that can be drawn: whatever a half-finished or mistaken draft says, it comes out as trees of steps
and joins without loops. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from workflows.builder import ports
from workflows.spelling import walk

TRIGGER = ".trigger"  # the card above the first step: no key of a step has a dot
_STUB = "stub"


class Arm(NamedTuple):
    """A way out of a step."""

    step: str
    port: str


@dataclass(frozen=True)
class Stub:
    """Where a line ends without a step. `leads_to`: the step that the draft names there, and that cannot be drawn below
    this one (it comes earlier, or is not there); empty at an end."""

    arm: Arm
    leads_to: str = ""


@dataclass(frozen=True)
class Tree:
    """Everything that `root` leads to. `ways`: node -> its arms and where each leads; stubs have none. `order`: nodes,
    each after all that lead to it. `before`: node -> the arms that lead to it. `above`: node -> the last node that
    every way to it passes; the root's own is the root."""

    root: str
    ways: Mapping[str, Sequence[tuple[Arm, str]]]
    stubs: Mapping[str, Stub]
    order: Sequence[str]
    before: Mapping[str, Sequence[Arm]]
    above: Mapping[str, str]


def trees(definition: Mapping[str, Any]) -> list[Tree]:
    """The journey from its trigger, then what nothing leads to, in the order in which one meets it."""
    steps = ports.steps_of(definition)
    drawn: set[str] = set()
    found = [_tree(TRIGGER, [("start", definition.get("start"))], steps, drawn)]
    for key in walk(definition.get("start"), steps):
        if key not in drawn:
            found.append(_tree(key, None, steps, drawn))
    return found


def _tree(root: str, first: list[tuple[str, Any]] | None, steps: Mapping[str, Any], drawn: set[str]) -> Tree:
    """`drawn` holds the steps that stand in another tree; those of this one are added to it."""
    elsewhere = frozenset(drawn)
    ways: dict[str, list[tuple[Arm, str]]] = {}
    stubs: dict[str, Stub] = {}
    done: list[str] = []  # each after everything it leads to
    on_path: set[str] = set()
    todo: list[tuple[str, list[tuple[str, Any]]]] = []

    def enter(node: str) -> None:
        leads = first if node == root and first is not None else ports.ways(steps[node])
        ways[node] = []
        on_path.add(node)
        if node in steps:
            drawn.add(node)
        todo.append((node, list(leads)))

    enter(root)
    while todo:
        node, left = todo[-1]
        if not left:
            todo.pop()
            on_path.discard(node)
            done.append(node)
            continue
        port, target = left.pop(0)
        arm = Arm(node, port)
        if not isinstance(target, str) or target not in steps or target in elsewhere or target in on_path:
            stub = f"{_STUB}:{node}:{port}"
            stubs[stub] = Stub(arm, target if isinstance(target, str) else "")
            ways[stub] = []
            ways[node].append((arm, stub))
            done.append(stub)
            continue
        ways[node].append((arm, target))
        if target not in ways:
            enter(target)
    order = done[::-1]
    before: dict[str, list[Arm]] = {node: [] for node in order}
    for node in order:
        for arm, target in ways[node]:
            before[target].append(arm)
    return Tree(root, ways, stubs, order, before, _above(root, order, before))


def _above(root: str, order: Sequence[str], before: Mapping[str, Sequence[Arm]]) -> dict[str, str]:
    """Immediate dominators (Cooper, Harvey and Kennedy 2001); one pass is enough, since there are no loops."""
    place = {node: number for number, node in enumerate(order)}
    above = {root: root}
    for node in order[1:]:
        common: str | None = None
        for arm in before[node]:
            if common is None:
                common = arm.step
                continue
            one, other = common, arm.step
            while one != other:
                while place[one] > place[other]:
                    one = above[one]
                while place[other] > place[one]:
                    other = above[other]
            common = one
        above[node] = common or root
    return above
