"""The kinds of steps as the "+" offers them."""

from __future__ import annotations

from functools import cache

from workflows.steps import registry
from workflows.steps.base import StepType

GROUPS = {
    "messages": "Messages",
    "timing": "Timing",
    "logic": "Logic",
    "contact": "Contact",
    "team": "Team and systems",
}


@cache
def groups() -> tuple[tuple[str, tuple[StepType, ...]], ...]:
    """Each group's name with its kinds, in their usual order."""
    kinds = [found for found in map(registry.find, registry.keys()) if found is not None]
    return tuple((name, tuple(kind for kind in kinds if kind.group == group)) for group, name in GROUPS.items())
