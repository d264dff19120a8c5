"""The ways out of a step of a draft, in the order in which they are drawn, however unfinished its settings. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from workflows.definition.sentences import mapping
from workflows.definition.strict import KEY
from workflows.steps import registry

_PLAIN = ("next",)


def steps_of(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """The steps that can be drawn: those whose keys are keys."""
    steps = definition.get("steps")
    if not isinstance(steps, Mapping):
        return {}
    return {key: step for key, step in steps.items() if isinstance(key, str) and re.fullmatch(KEY, key)}


def ports(step: Any) -> tuple[str, ...]:
    """By its settings where they read, else by what a step of the kind has at the least; then those that its `next`
    names beside them, so that nothing of a mistaken draft is out of sight."""
    step = mapping(step)
    kind = registry.find(str(step.get("type")))
    given = mapping(step.get("next"))
    named = tuple(port for port in given if isinstance(port, str))
    if kind is None:
        return named or _PLAIN
    try:
        known = kind.ports(kind.Config.model_validate(step.get("config") or {}))
    except (ValidationError, RecursionError):
        known = kind.rough_ports(mapping(step.get("config")))
    return (*known, *(port for port in named if port not in known))


def ways(step: Any) -> list[tuple[str, Any]]:
    """(port, where it leads): a step's key, None at an end, anything in a mistaken draft."""
    given = mapping(mapping(step).get("next"))
    return [(port, given.get(port)) for port in ports(step)]


def caption(step: Any, port: str) -> str:
    """What stands at the line of a port; empty where a step has one way only."""
    step = mapping(step)
    kind = registry.find(str(step.get("type")))
    if len(ports(step)) < 2:
        return ""
    return kind.caption(mapping(step.get("config")), port) if kind else port
