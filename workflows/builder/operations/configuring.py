"""What a step does, what starts the journey, how it is set and when people leave it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows.builder import ports
from workflows.builder.operations.change import (
    Change,
    Refused,
    copied,
    name_of,
    step_of,
    went_with_it,
    without_the_unreached,
)

PARTS = ("entry", "settings", "exit")


def configure(
    definition: Mapping[str, Any],
    *,
    step: str,
    name: str,
    config: Any,
    skip_if: Any = None,
    renamed: Mapping[str, str] | None = None,
) -> Change:
    """The settings of a step, an object unless somebody wrote something else. New arms lead where its first one led;
    the paths of arms that are gone go with them. `renamed`: arms that have another key now, and lead where they led.
    What is left empty and was not said before is not said now either."""
    result = copied(definition)
    given = step_of(result, step)
    called = renamed or {}
    led = {called.get(port, port): target for port, target in ports.ways(given)}
    onward = next(iter(led.values()), None)
    said = {"name": name, "config": config, "skip_if": skip_if}
    for part, value in said.items():
        if value or part in given:
            given[part] = value
    if skip_if is None:
        given.pop("skip_if", None)
    given["next"] = {}
    given["next"] = {port: led.get(port, onward) for port in ports.ports(given)}
    gone = without_the_unreached(result, definition)
    return Change(result, went_with_it(f"Changed “{name_of(result, step)}”", gone), step, gone)


def put(definition: Mapping[str, Any], *, part: str, value: Mapping[str, Any]) -> Change:
    """`entry`, `settings` or `exit` of the journey as a whole."""
    if part not in PARTS:
        raise Refused("A journey has no such part.")
    said = {"entry": "Changed who enters", "settings": "Changed the settings", "exit": "Changed who leaves early"}
    return Change({**copied(definition), part: dict(value)}, said[part])


def rename(definition: Mapping[str, Any], *, name: str) -> Change:
    name = name.strip()
    if not name:
        raise Refused("A journey needs a name.")
    return Change({**copied(definition), "name": name}, f"Renamed to “{name}”")
