"""Problems in the words of the forms: which setting is meant, by its label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from workflows.builder import ports
from workflows.definition import shown
from workflows.definition.problems import Problem
from workflows.definition.schema import Entry, ExitRule, QuietHours, ReEntry, Settings
from workflows.definition.sentences import mapping
from workflows.steps import registry
from workflows.triggers import registry as triggers

_BELOW: Mapping[str, type[BaseModel]] = {
    "entry.re_entry": ReEntry,
    "settings.quiet_hours": QuietHours,
    "entry": Entry,
    "settings": Settings,
}


def told(problems: Sequence[Problem], definition: Mapping[str, Any]) -> list[Problem]:
    """The same problems; where one is about a setting that has a label, its message begins with it."""
    return [_told(problem, label_of(problem, definition)) for problem in problems]


def label_of(problem: Problem, definition: Mapping[str, Any]) -> str:
    """Empty where the place is no setting of a form."""
    place = problem.field
    if problem.step is not None:
        step = mapping(ports.steps_of(definition).get(problem.step))
        kind = registry.find(str(step.get("type")))
        return _label(kind.Config, place, "config") if kind else ""
    if place.startswith("entry.trigger."):
        trigger = triggers.find(str(mapping(mapping(definition.get("entry")).get("trigger")).get("type")))
        return _label(trigger, place, "entry.trigger") if trigger else ""
    if place.startswith("exit."):
        return _label(ExitRule, place, ".".join(place.split(".")[:3]))
    return next((label for below, model in _BELOW.items() if (label := _label(model, place, below))), "")


def _label(model: type[BaseModel], place: str, below: str) -> str:
    if not place.startswith(f"{below}."):
        return ""
    said = shown.fields(model).get(place[len(below) + 1 :].partition(".")[0])
    return said[1].label if said and place != "entry.trigger" else ""


def _told(problem: Problem, label: str) -> Problem:
    if not label:
        return replace(problem, message=f"{problem.message[:1].upper()}{problem.message[1:]}")
    return replace(problem, message=f"{label.rstrip('?')}: {problem.message}")
