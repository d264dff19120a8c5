"""The map of a rehearsal: how many came to each step in it, and which path they took. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows.builder import ports
from workflows.builder.layout.graph import TRIGGER, Arm
from workflows.builder.picture import picture
from workflows.pages.builder.numbers import Number, Rows, drawn, percent


def drawn_map(definition: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """What the map is drawn from. `definition`: that was rehearsed; `report`: as it is stored."""
    return {
        "picture": picture(definition),
        "numbers": drawn({TRIGGER: _trigger(report), **_steps(definition, report)}),
        "shares": _shares(definition, report),
    }


def _trigger(report: Mapping[str, Any]) -> Rows:
    refused = sum(each["count"] for each in report["refused"])
    entered = Number("entered", report["entered"], "entered")
    return [[entered, *([Number("refused", refused, "not let in")] if refused else [])]]


def _steps(definition: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Rows]:
    """Of every card, also of those that nobody came to."""
    found = {each["step"]: each for each in report["steps"]}
    nobody = {"came": 0, "standing": 0, "sent": 0, "held_back": 0}
    return {key: _rows(found.get(key, nobody)) for key in ports.steps_of(definition)}


def _rows(passed: Mapping[str, Any]) -> Rows:
    standing, sent, held_back = passed["standing"], passed["sent"], passed["held_back"]
    came = [
        Number("entered", passed["came"], "entered"),
        *([Number("standing", standing, "still here")] if standing else []),
    ]
    post = [Number("sent", sent, "sent"), *([Number("held", held_back, "held back")] if held_back else [])]
    return [came, post] if sent or held_back else [came]


def _shares(definition: Mapping[str, Any], report: Mapping[str, Any]) -> dict[Arm, str]:
    """Of each path out of a step that has several: how many took it, and their share of those who went on."""
    taken = {way["step"]: {port["name"]: port["count"] for port in way["ports"]} for way in report["ways"]}
    found: dict[Arm, str] = {}
    for key, step in ports.steps_of(definition).items():
        paths = ports.ports(step)
        went = taken.get(key, {})
        if len(paths) > 1 and went:
            total = sum(went.values())
            found |= {Arm(key, port): _share(went.get(port, 0), total) for port in paths}
    return found


def _share(count: int, total: int) -> str:
    return f"{count:,} · {percent(count, total)}"
