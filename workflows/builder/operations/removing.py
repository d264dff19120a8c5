"""A step goes, and what led to it leads on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows.builder import ports
from workflows.builder.operations.change import (
    Change,
    Refused,
    arms_to,
    copied,
    counted,
    lead,
    name_of,
    reached_from,
    without_the_unreached,
)


class Undecided(Refused):
    """Every path of the step holds steps that would go with it: somebody has to say which one stays."""


def remove(definition: Mapping[str, Any], *, step: str, keep: str | None = None) -> Change:
    """`keep`: the arm whose path stays, of a step with several; asked for (Undecided) only where each of the others
    holds steps of its own (`losses`)."""
    name, leads = name_of(definition, step), _leads(definition, step)
    if keep is not None and keep not in leads:
        raise Refused("This path is not there any more.")
    if keep is None:
        keep = next((port for port, lost in losses(definition, step=step).items() if not lost), None)
        if keep is None and leads:
            raise Undecided("Say which path stays.")
    result = _without(definition, step, leads[keep] if keep is not None else None)
    gone = without_the_unreached(result, definition)
    more = f" and {counted(gone)} after it" if gone else ""
    return Change(result, f"Deleted “{name}”{more}", None, (step, *gone))


def losses(definition: Mapping[str, Any], *, step: str) -> dict[str, list[str]]:
    """Port -> the steps that go if the step is deleted and this port's path is kept, in their order."""
    name_of(definition, step)
    was = reached_from(definition, definition.get("start")) - {step}
    found: dict[str, list[str]] = {}
    for port, target in _leads(definition, step).items():
        without = _without(definition, step, target)
        still = reached_from(without, without.get("start"))
        found[port] = [key for key in ports.steps_of(definition) if key in was and key not in still]
    return found


def _leads(definition: Mapping[str, Any], step: str) -> dict[str, str | None]:
    """Where its ports lead, as what led to the step can lead on: a step that does not read has one way at least."""
    steps = ports.steps_of(definition)
    known = steps.keys() - {step}
    return {port: to if isinstance(to, str) and to in known else None for port, to in ports.ways(steps[step])}


def _without(definition: Mapping[str, Any], step: str, target: str | None) -> dict[str, Any]:
    result = copied(definition)
    for source, port in list(arms_to(result, step)):
        if source != step:
            lead(result, source, port, None if source == target else target)
    del result["steps"][step]
    return result
