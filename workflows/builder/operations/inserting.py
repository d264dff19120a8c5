"""A new step, on a line or above the card where lines meet. What followed still follows: its arms meet there again."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

from workflows.builder import ports
from workflows.builder.operations.change import (
    Change,
    Refused,
    arms_to,
    copied,
    lead,
    new_key,
    step_of,
    target_of,
)
from workflows.definition.schema import STEP_LIMIT
from workflows.steps import registry


def on_arm(definition: Mapping[str, Any], *, step: str, port: str, kind: str, taken: Collection[str] = ()) -> Change:
    """Between a step and what its arm leads to. `taken`: keys that stand for other steps, in a version."""
    result = copied(definition)
    target = target_of(result, step, port)
    key = _add(result, kind, target, taken)
    lead(result, step, port, key)
    return Change(result, f"Added {_label(kind)}", key)


def above(definition: Mapping[str, Any], *, step: str, kind: str, taken: Collection[str] = ()) -> Change:
    """Every way that led to `step` leads to the new one first."""
    result = copied(definition)
    step_of(result, step)
    arms = list(arms_to(result, step))
    key = _add(result, kind, step, taken)
    for source, port in arms:
        lead(result, source, port, key)
    return Change(result, f"Added {_label(kind)}", key)


def make_room(definition: Mapping[str, Any]) -> None:
    """Raises Refused where a journey has as many steps as it may have."""
    if len(definition["steps"]) >= STEP_LIMIT:
        raise Refused(f"A journey has {STEP_LIMIT} steps at most.")


def _add(definition: dict[str, Any], kind: str, target: str | None, taken: Collection[str]) -> str:
    found = registry.find(kind)
    if found is None:
        raise Refused("There is no such kind of step.")
    make_room(definition)
    key = new_key(definition, kind, taken)
    step: dict[str, Any] = {"type": kind, "name": "", "config": copy.deepcopy(dict(found.initial)), "next": {}}
    step["next"] = dict.fromkeys(ports.ports(step), target)
    definition["steps"][key] = step
    return key


def _label(kind: str) -> str:
    found = registry.find(kind)
    return f"“{found.label}”" if found else kind
