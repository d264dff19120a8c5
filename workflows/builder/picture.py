"""A draft as the map shows it: every card with its words and problems, every line with its caption. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflows.builder import ports
from workflows.builder.layout.blocks import CARD_WIDTH
from workflows.builder.layout.drawing import Card, Drawing, End, Line, Trunk, draw
from workflows.builder.layout.graph import TRIGGER
from workflows.definition.problems import Problem
from workflows.definition.sentences import mapping, re_entry_sentence, step_sentence, trigger_sentence
from workflows.steps import registry

TRIGGER_ICON, UNKNOWN_ICON = "bolt", "help"


@dataclass(frozen=True)
class Face:
    """What stands on a card. `number`: its place among the steps, 0 for the trigger."""

    key: str
    x: float
    y: float
    number: int
    kind: str
    group: str
    icon: str
    name: str
    sentence: str
    type: str
    apart: bool
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> int:
        """Of its problems those that forbid publishing; the others are remarks."""
        return sum(problem.severity == "error" for problem in self.problems)

    @property
    def told(self) -> Problem | None:
        """The one that the card has room for: the first error, else the first remark."""
        return next((each for each in self.problems if each.severity == "error"), next(iter(self.problems), None))


@dataclass(frozen=True)
class Way:
    """A line with what stands at it. `above`: the step that it leaves, as one hears of it."""

    line: Line
    caption: str
    above: str


@dataclass(frozen=True)
class Meeting:
    """Where lines meet. `below`: the step where they do, as one hears of it."""

    trunk: Trunk
    below: str


@dataclass(frozen=True)
class Stop:
    """Where a line ends. `astray`: the draft names a step there that cannot be reached from here; `words` say which."""

    end: End
    words: str
    astray: bool


@dataclass(frozen=True)
class Picture:
    drawing: Drawing
    faces: tuple[Face, ...]
    ways: tuple[Way, ...]
    meetings: tuple[Meeting, ...]
    stops: tuple[Stop, ...]
    steps: int
    card_width: int = CARD_WIDTH


def picture(definition: Mapping[str, Any], problems: Sequence[Problem] = ()) -> Picture:
    steps = ports.steps_of(definition)
    drawing = draw(definition)
    of: dict[str | None, list[Problem]] = {}
    for problem in problems:
        of.setdefault(problem.step, []).append(problem)
    faces, number = [], 0
    for card in drawing.cards:
        if card.key == TRIGGER:
            faces.append(_trigger(card, definition, of.get(None, [])))
            continue
        number += 1
        faces.append(_face(card, steps[card.key], number, of.get(card.key, [])))
    names = {face.key: face.name for face in faces}
    # two steps may bear one name; with their numbers nothing is called the same
    heard = {face.key: f"step {face.number}, {face.name}" if face.number else "the trigger" for face in faces}
    ways = tuple(_way(line, steps, heard) for line in drawing.lines)
    meetings = tuple(Meeting(trunk, heard[trunk.before]) for trunk in drawing.trunks)
    stops = tuple(_stop(end, names) for end in drawing.ends)
    return Picture(drawing=drawing, faces=tuple(faces), ways=ways, meetings=meetings, stops=stops, steps=number)


def _way(line: Line, steps: Mapping[str, Any], heard: Mapping[str, str]) -> Way:
    caption = ports.caption(steps.get(line.arm.step), line.arm.port) if line.forked else ""
    return Way(line, caption, heard[line.arm.step])


def _stop(end: End, names: Mapping[str, str]) -> Stop:
    wanted = end.stub.leads_to
    if not wanted:
        return Stop(end, "End", astray=False)
    if wanted in names:
        return Stop(end, f"To “{names[wanted]}”", astray=True)
    return Stop(end, f"To “{wanted}”, which is not there", astray=True)


def _face(card: Card, step: Any, number: int, problems: Sequence[Problem]) -> Face:
    step = mapping(step)
    kind = registry.find(str(step.get("type")))
    label = kind.label if kind else f"Unknown step “{step.get('type')}”"
    return Face(
        key=card.key,
        x=card.x,
        y=card.y,
        number=number,
        kind=label,
        group=kind.group if kind else "team",
        icon=kind.icon if kind else UNKNOWN_ICON,
        name=str(step.get("name") or label),
        sentence=step_sentence(step),
        type=str(step.get("type") or ""),
        apart=card.apart,
        problems=tuple(problems),
    )


def _trigger(card: Card, definition: Mapping[str, Any], problems: Sequence[Problem]) -> Face:
    entry = mapping(definition.get("entry"))
    return Face(
        key=TRIGGER,
        x=card.x,
        y=card.y,
        number=0,
        kind="Trigger",
        group="trigger",
        icon=TRIGGER_ICON,
        name=trigger_sentence(entry.get("trigger")) if entry.get("trigger") else "Choose a trigger",
        sentence=re_entry_sentence(entry.get("re_entry")),
        type="trigger",
        apart=False,
        problems=tuple(problem for problem in problems if problem.field.startswith(("entry", "start", "steps"))),
    )
