"""Journeys as somebody makes them who tries everything: by the builder's own operations, at random, from a seed."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Any

from tests.workflows.builder.starter import STARTER
from workflows.builder import ports
from workflows.builder.layout.graph import TRIGGER
from workflows.builder.operations import connecting, inserting, removing
from workflows.builder.operations.change import Refused

KINDS = ("wait", "send_email", "branch", "branch", "experiment", "wait_for_event", "exit")
PLAIN = ("wait", "send_email", "add_tag", "branch", "experiment", "wait_for_event", "update_contact")


def scribbled(seed: int, *, deeds: int) -> dict[str, Any]:
    """After so many deeds, of which some are refused: steps added, joined, ended, deleted."""
    chance = random.Random(seed)
    draft: dict[str, Any] = {"start": None, "steps": {}}
    for _ in range(deeds):
        try:
            draft = _deed(draft, chance)
        except Refused:
            continue
    return draft


def _deed(draft: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    steps = list(draft["steps"])
    step, port = chance.choice(_arms(draft))
    what = chance.random()
    if what < 0.62 or len(steps) < 3:
        return inserting.on_arm(draft, step=step, port=port, kind=chance.choice(KINDS)).definition
    if what < 0.8:
        return connecting.join(draft, step=step, port=port, target=chance.choice(steps)).definition
    if what < 0.88:
        return connecting.end(draft, step=step, port=port).definition
    if what < 0.94:
        return inserting.above(draft, step=chance.choice(steps), kind="wait").definition
    gone = chance.choice(steps)
    kept = next((port for port, _ in ports.ways(draft["steps"][gone])), None)
    return removing.remove(draft, step=gone, keep=kept).definition


def grown(steps: int, *, seed: int = 5, kinds: Sequence[str] = PLAIN) -> dict[str, Any]:
    """A journey that can be stored, with so many steps, each put in at random."""
    chance = random.Random(seed)
    draft = copy.deepcopy(STARTER)
    while len(draft["steps"]) < steps:
        step, port = chance.choice(_arms(draft))
        draft = inserting.on_arm(draft, step=step, port=port, kind=chance.choice(kinds)).definition
    return draft


def _arms(draft: dict[str, Any]) -> list[tuple[str, str]]:
    return [(TRIGGER, "start"), *((key, port) for key, step in draft["steps"].items() for port, _ in ports.ways(step))]
