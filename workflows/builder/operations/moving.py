"""A step goes to another place, and takes along what is nobody else's. Nothing is ever lost by it.

A step with one way out goes alone. One with several goes with every step that only it leads to, up to where its paths
meet again; where they do not (one of them ends early), with all that only it leads to. What led to it leads to where
its paths met. In the new place, what left the moved steps leads on to what followed there; a path of theirs that ended
still ends, unless all of them did: then they lead on, too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from workflows.builder import ports
from workflows.builder.layout.graph import TRIGGER
from workflows.builder.operations.change import (
    Change,
    Refused,
    arms_to,
    below,
    copied,
    counted,
    lead,
    leads_of,
    name_of,
    step_of,
    target_of,
)

_OWN_PATH = "A step cannot go into a path of its own."
_NOTHING_AFTER = "The journey ends at this step, so it can only go where a path ends."


@dataclass(frozen=True)
class Load:
    """What moves with a step, the step itself first. `into`: the arms that lead to it from elsewhere. `out`: those that
    lead on from the new place. `after`: where its paths met."""

    steps: tuple[str, ...]
    into: tuple[tuple[str, str], ...]
    out: tuple[tuple[str, str], ...]
    after: str | None


@dataclass(frozen=True)
class Places:
    """Where a step may go: `arms` for `move`; `above` these steps for `move_above`."""

    arms: tuple[tuple[str, str], ...]
    above: tuple[str, ...]


def move(definition: Mapping[str, Any], *, step: str, target_step: str, target_port: str) -> Change:
    """Onto an arm, between its step and what that leads to. Where the step stands already, nothing changes."""
    load = load_of(definition, step=step)
    target_of(definition, target_step, target_port)
    if target_step == step and len(load.steps) == 1:
        return _stays(definition, step)
    if target_step in load.steps:
        raise Refused(_OWN_PATH)
    if load.into == ((target_step, target_port),):
        return _stays(definition, step)
    result = _lifted(definition, load)
    follows = target_of(result, target_step, target_port)
    if follows in load.steps:  # an arm beside the journey may lead into what moves
        raise Refused(_OWN_PATH)
    return _put(definition, result, load, [(target_step, target_port)], follows)


def move_above(definition: Mapping[str, Any], *, step: str, target: str) -> Change:
    """Above a step where paths meet: all of them lead through the moved one first."""
    load = load_of(definition, step=step)
    name_of(definition, target)
    if target in load.steps:
        raise Refused(_OWN_PATH)
    result = _lifted(definition, load)
    arms = [arm for arm in arms_to(result, target) if arm[0] not in load.steps]
    if target == load.after and sorted(arms) == sorted(load.into):
        return _stays(definition, step)
    return _put(definition, result, load, arms, target)


def load_of(definition: Mapping[str, Any], *, step: str) -> Load:
    """Raises Refused for a step that is not there, or cannot be read."""
    step_of(definition, step)
    leads = leads_of(definition)
    meeting = _meeting(leads, step)
    all_below = below(leads, [step])
    start = definition.get("start")
    roots = [start] if isinstance(start, str) else []
    if step not in below(leads, roots):  # who stands beside the journey shares with it; nobody in it shares with those
        roots += [key for key in leads if key not in all_below]
    stays = below(leads, roots, past=step) | (below(leads, [meeting]) if meeting else set())
    steps = (step, *(key for key in leads if key in all_below and key not in stays and key != step))
    going = set(steps)
    readable = [key for key in steps if isinstance(ports.steps_of(definition)[key], dict)]  # others cannot be led
    leaving = [(key, port, to) for key in readable for port, to in leads[key] if to not in going]
    onward = [(key, port) for key, port, to in leaving if to is not None]
    first = next((to for _, _, to in leaving if to is not None), None)
    return Load(
        steps=steps,
        into=tuple(arm for arm in arms_to(definition, step) if arm[0] not in going),
        out=tuple(onward or [(key, port) for key, port, _ in leaving]),
        after=meeting or first,
    )


def places(definition: Mapping[str, Any], *, step: str) -> Places:
    """Everywhere that a step may go, without where it stands. Raises Refused as `load_of` does."""
    load = load_of(definition, step=step)
    steps, going = ports.steps_of(definition), set(load.steps)
    start = definition.get("start")
    arms = [(TRIGGER, "start", start if isinstance(start, str) and start in steps else None)]
    arms += [(key, port, to) for key, ways in leads_of(definition).items() for port, to in ways]
    free = [(key, port, to) for key, port, to in arms if key not in going and isinstance(steps.get(key, {}), dict)]
    return Places(
        arms=tuple(
            (key, port)
            for key, port, to in free
            if load.into != ((key, port),)
            and (load.out or to is None or to == step)
            and (to == step or to not in going)
        ),
        above=tuple(dict.fromkeys(to for _, _, to in free if to is not None and to not in going)) if load.out else (),
    )


def _meeting(leads: Mapping[str, list[tuple[str, str | None]]], step: str) -> str | None:
    """The first step that every path from here comes to; None where one of them ends before."""
    found: tuple[int, str] | None = None
    for key in below(leads, [step]) - {step}:
        passed = below(leads, [step], past=key)
        ends = any(not leads[each] or any(to is None for _, to in leads[each]) for each in passed)
        if not ends and (found is None or (len(passed), key) < found):
            found = (len(passed), key)
    return found[1] if found else None


def _lifted(definition: Mapping[str, Any], load: Load) -> dict[str, Any]:
    result = copied(definition)
    for source, port in load.into:
        lead(result, source, port, None if source == load.after else load.after)
    return result


def _put(
    before: Mapping[str, Any],
    result: dict[str, Any],
    load: Load,
    arms: Iterable[tuple[str, str]],
    follows: str | None,
) -> Change:
    if follows is not None and not load.out:
        raise Refused(_NOTHING_AFTER)
    step = load.steps[0]
    for source, port in arms:
        lead(result, source, port, step)
    for key, port in load.out:
        lead(result, key, port, follows)
    more = f" with {counted(load.steps[1:])}" if len(load.steps) > 1 else ""
    return Change(result, f"Moved “{name_of(before, step)}”{more}", step)


def _stays(definition: Mapping[str, Any], step: str) -> Change:
    return Change(dict(definition), f"“{name_of(definition, step)}” stays where it is", step)
