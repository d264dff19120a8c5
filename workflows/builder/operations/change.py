"""What every operation gives back, and how they get about in a definition."""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workflows.builder import ports
from workflows.builder.layout.graph import TRIGGER
from workflows.definition.sentences import mapping
from workflows.definition.strict import KEY
from workflows.steps import registry


class Refused(ValueError):
    """This cannot be done to this draft; the message says why, to a marketer."""


@dataclass(frozen=True)
class Change:
    """`step`: the one to look at afterwards, None for the journey. `said`: what was done, for the history and for those
    who hear the page. `gone`: the steps that the draft has no more."""

    definition: dict[str, Any]
    said: str
    step: str | None = None
    gone: tuple[str, ...] = ()


def copied(definition: Mapping[str, Any]) -> dict[str, Any]:
    """To be changed freely; its steps are a dict, and no two of them share what they hold."""
    result = copy.deepcopy(dict(definition))
    steps = result.get("steps")
    result["steps"] = {key: copy.deepcopy(step) for key, step in steps.items()} if isinstance(steps, dict) else {}
    return result


def step_of(definition: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A step, to be changed. Raises Refused where there is none, or where a mistaken draft has something else there."""
    step = ports.steps_of(definition).get(key)
    if key not in ports.steps_of(definition):
        raise Refused("This step is not there any more.")
    if not isinstance(step, dict):
        raise Refused("This step cannot be read. Delete it, or mend it in the text.")
    return step


def name_of(definition: Mapping[str, Any], key: str) -> str:
    """What a step is called, also one that cannot be read. Raises Refused where there is none."""
    if key not in ports.steps_of(definition):
        raise Refused("This step is not there any more.")
    step = mapping(ports.steps_of(definition)[key])
    kind = registry.find(str(step.get("type")))
    return str(step.get("name") or (kind.label if kind else key))


def target_of(definition: Mapping[str, Any], step: str, port: str) -> str | None:
    """Where an arm leads; None at an end. Raises Refused for an arm that is not there."""
    if step == TRIGGER:
        found = definition.get("start")
    else:
        leads = dict(ports.ways(step_of(definition, step)))
        if port not in leads:
            raise Refused("This path is not there any more.")
        found = leads[port]
    return found if isinstance(found, str) and found in ports.steps_of(definition) else None


def lead(definition: dict[str, Any], step: str, port: str, target: str | None) -> None:
    if step == TRIGGER:
        definition["start"] = target
    else:
        given = step_of(definition, step)
        given["next"] = {**dict(ports.ways(given)), port: target}


def arms_to(definition: Mapping[str, Any], key: str) -> Iterator[tuple[str, str]]:
    """Every arm that leads to a step, the trigger's included."""
    if definition.get("start") == key:
        yield TRIGGER, "start"
    for step, given in ports.steps_of(definition).items():
        for port, target in ports.ways(given):
            if target == key:
                yield step, port


def leads_of(definition: Mapping[str, Any]) -> dict[str, list[tuple[str, str | None]]]:
    """Every step with its ports and where each leads: a step that is there, or None. To be asked for once, since the
    ports of a step are known by its settings only."""
    steps = ports.steps_of(definition)
    return {
        key: [(port, to if isinstance(to, str) and to in steps else None) for port, to in ports.ways(step)]
        for key, step in steps.items()
    }


def below(leads: Mapping[str, list[tuple[str, str | None]]], roots: Iterable[str], *, past: str = "") -> set[str]:
    """These steps and all that they lead to; nothing is reached through `past`."""
    seen: set[str] = set()
    todo = [root for root in roots if root in leads]
    while todo:
        each = todo.pop()
        if each not in seen and each != past:
            seen.add(each)
            todo += [to for _, to in leads[each] if to is not None]
    return seen


def reached_from(definition: Mapping[str, Any], key: str | None) -> set[str]:
    """That step and everything below it."""
    return below(leads_of(definition), [key] if isinstance(key, str) else [])


def new_key(definition: Mapping[str, Any], kind: str, taken: Collection[str] = ()) -> str:
    """`wait`, then `wait-2`: keys are read in tests, versions and reports, so they say what they are. None of `taken`
    is used again: what was counted under a key belongs to the step that had it. Nor is one that a way still names: the
    way led to a step that is gone, and would lead to the new one, perhaps in a circle."""
    named = {to for step in ports.steps_of(definition).values() for _, to in ports.ways(step) if isinstance(to, str)}
    there = {*definition["steps"], *taken, *named}
    stem = kind.replace("_", "-") if re.fullmatch(KEY, kind) and len(kind) < 50 else "step"
    numbers = (f"{stem}-{number}" for number in range(2, len(there) + 3))
    return stem if stem not in there else next(key for key in numbers if key not in there)


def without_the_unreached(definition: dict[str, Any], before: Mapping[str, Any]) -> tuple[str, ...]:
    """Drops the steps that a change has cut off: those that could be reached `before` and cannot any more. Returns
    their keys. (What nothing led to already stays: it is somebody's work in progress.)"""
    was, still = reached_from(before, before.get("start")), reached_from(definition, definition.get("start"))
    gone = tuple(key for key in definition["steps"] if key in was and key not in still)
    for key in gone:
        del definition["steps"][key]
    return gone


def went_with_it(deed: str, gone: Collection[str]) -> str:
    """What was done, and how many steps went with it."""
    return f"{deed}; {counted(gone)} went with it" if gone else deed


def counted(steps: Collection[str]) -> str:
    return f"{len(steps)} step{'' if len(steps) == 1 else 's'}"
