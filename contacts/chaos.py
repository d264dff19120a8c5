"""Named points where a drill may pause, stop or kill this very process, and named faults ("mutants") that it may build
in. Inert unless CARILLON_CHAOS is set, which only drills and races do: then a point costs one look into an empty dict.

    CARILLON_CHAOS="delivery.claimed=pause:3.0:0.04+pause:0.5:0.2,engine.applied=kill:0.01;seed=7;dir=/tmp/race"

    pause:SECONDS:PROBABILITY   sleep, blocking the whole thread, as a stopped process would
    kill:PROBABILITY            SIGKILL to this process
    barrier:SECONDS             report to `dir`, then wait there for `<point>.go`, at most so long (see `arrived`)

CARILLON_MUTANT names the mutants, by comma. A zero in a drill means something only beside the failure of its mutant.
"""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path


class BadChaos(ValueError):
    """CARILLON_CHAOS cannot be read; the message says which part."""


class BarrierNotOpened(TimeoutError):
    """Nobody opened the barrier in time: the race that was to be arranged did not take place."""


@dataclass(frozen=True)
class Action:
    """What happens at a point. `seconds` is the length of a pause or the patience at a barrier."""

    kind: str  # pause · kill · barrier
    probability: float = 1.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Plan:
    actions: dict[str, tuple[Action, ...]]
    seed: int = 0
    rendezvous: Path | None = None


def read_plan(text: str) -> Plan:
    """The plan in CARILLON_CHAOS; an empty text, or `on` (mutants only), is a plan in which nothing happens.

    Raises BadChaos."""
    points, *options = text.split(";")
    settings = {name: value for name, _, value in (option.partition("=") for option in options if option.strip())}
    if unknown := settings.keys() - {"seed", "dir"}:
        raise BadChaos(f"unknown option {sorted(unknown)[0]!r}")
    actions = {}
    for part in points.split(","):
        if part.strip() in {"", "on"}:
            continue
        name, _, planned = part.strip().partition("=")
        actions[name] = tuple(_read_action(part, *action.split(":")) for action in planned.split("+"))
    rendezvous = Path(settings["dir"]) if settings.get("dir") else None
    if rendezvous is None and any(action.kind == "barrier" for several in actions.values() for action in several):
        raise BadChaos("a barrier needs ;dir=PATH")
    return Plan(actions, int(settings.get("seed") or 0), rendezvous)


def _read_action(part: str, kind: str, *numbers: str) -> Action:
    try:
        values = [float(number) for number in numbers]
    except ValueError as error:
        raise BadChaos(f"expected numbers in {part!r}") from error
    match kind, values:
        case "pause", [seconds, probability]:
            return Action("pause", probability, seconds)
        case "kill", [probability]:
            return Action("kill", probability)
        case "barrier", [seconds]:
            return Action("barrier", seconds=seconds)
    raise BadChaos(f"cannot read {part!r}: expected pause:SECONDS:PROBABILITY, kill:PROBABILITY or barrier:SECONDS")


_plan = read_plan(os.environ.get("CARILLON_CHAOS", ""))
_mutants = frozenset(filter(None, os.environ.get("CARILLON_MUTANT", "").split(",")))
if not os.environ.get("CARILLON_CHAOS"):
    _mutants = frozenset()  # a stray CARILLON_MUTANT alone never breaks an installation
_dice: dict[int, random.Random] = {}  # by process id: forked children must not all throw their parent's numbers


def point(name: str) -> None:
    """Production code passes here. Does nothing, unless a drill has planned something for this name."""
    for action in _plan.actions.get(name, ()):
        _act(name, action)


def mutant(name: str) -> bool:
    """Whether the fault `name` is built into this process, so that a drill can show that it would be noticed."""
    return name in _mutants


def _act(name: str, action: Action) -> None:
    if action.kind == "barrier":
        _wait_at_barrier(name, action.seconds)
        return
    pid = os.getpid()
    if pid not in _dice:
        _dice[pid] = random.Random(f"{_plan.seed}:{pid}")  # noqa: S311  (chance, not secrecy)
    if _dice[pid].random() >= action.probability:
        return
    if action.kind == "kill":
        os.kill(pid, signal.SIGKILL)
    time.sleep(action.seconds)


def _wait_at_barrier(name: str, patience: float) -> None:
    assert _plan.rendezvous is not None
    (_plan.rendezvous / f"{name}.{os.getpid()}.here").touch()
    deadline = time.monotonic() + patience
    while not (_plan.rendezvous / f"{name}.go").exists():
        if time.monotonic() > deadline:
            raise BarrierNotOpened(name)
        time.sleep(0.005)


def arrived(rendezvous: Path, name: str) -> int:
    """For the test that arranges a race: how many processes stand at the barrier, or have passed it."""
    return sum(1 for _ in rendezvous.glob(f"{name}.*.here"))


def open_barrier(rendezvous: Path, name: str) -> None:
    """For the test that arranges a race: let everybody at the barrier go, now and from now on."""
    (rendezvous / f"{name}.go").touch()
