"""Where a path leads: to a step that is there already, or to an end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.builder.layout.graph import TRIGGER
from workflows.builder.operations.change import (
    Change,
    Refused,
    below,
    copied,
    lead,
    leads_of,
    name_of,
    target_of,
    went_with_it,
    without_the_unreached,
)


@dataclass(frozen=True)
class Onward:
    """A place that a path may lead to, None for its end, and the steps that nobody would come to any more."""

    target: str | None
    lost: tuple[str, ...]


def join(definition: Mapping[str, Any], *, step: str, port: str, target: str) -> Change:
    """An arm leads to a step that is there already, never to an earlier one. What nothing leads to any more goes."""
    result = copied(definition)
    target_of(result, step, port)
    name = name_of(result, target)
    if target not in joinable(result, step=step):
        raise Refused("A journey cannot go back to an earlier step.")
    lead(result, step, port, target)
    gone = without_the_unreached(result, definition)
    return Change(result, went_with_it(f"Joined “{name}”", gone), target, gone)


def end(definition: Mapping[str, Any], *, step: str, port: str) -> Change:
    """An arm leads nowhere. What nothing leads to any more goes."""
    result = copied(definition)
    target_of(result, step, port)
    lead(result, step, port, None)
    gone = without_the_unreached(result, definition)
    return Change(result, went_with_it("The path ends here", gone), None, gone)


def joinable(definition: Mapping[str, Any], *, step: str) -> list[str]:
    """The steps that an arm of `step` may lead to: all but itself and those that lead here."""
    leads = leads_of(definition)
    into: dict[str, list[str]] = {key: [] for key in leads}
    for key, ways in leads.items():
        for _, target in ways:
            if target is not None:
                into[target].append(key)
    earlier: set[str] = set()
    todo = [step]
    while todo:
        each = todo.pop()
        if each not in earlier:
            earlier.add(each)
            todo += into.get(each, ())
    return [key for key in leads if key not in earlier]


def onward(definition: Mapping[str, Any], *, step: str, port: str) -> list[Onward]:
    """Everywhere that an arm may lead and does not lead yet: its end first, then the steps that it may join. Raises
    Refused for an arm that is not there."""
    now = target_of(definition, step, port)
    leads = leads_of(definition)
    start = definition.get("start")
    was = below(leads, [start] if isinstance(start, str) else [])
    cut = {**leads}
    if step != TRIGGER:
        cut[step] = [(each, None if each == port else target) for each, target in leads[step]]
    kept = below(cut, [start] if isinstance(start, str) and step != TRIGGER else [])
    found = []
    for target in (None, *joinable(definition, step=step)):
        if target == now:
            continue
        led = below(cut, [target]) if target is not None and (step == TRIGGER or step in was) else set()
        found.append(Onward(target, tuple(key for key in leads if key in was and key not in kept and key not in led)))
    return found
