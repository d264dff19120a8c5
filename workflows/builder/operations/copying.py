"""A step once more, with the same settings."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

from workflows.builder import ports
from workflows.builder.operations.change import Change, Refused, arms_to, copied, lead, name_of, new_key, step_of
from workflows.builder.operations.inserting import make_room

LONGEST_NAME = 200


def duplicate(definition: Mapping[str, Any], *, step: str, taken: Collection[str] = ()) -> Change:
    """The copy follows the step. That of a step with several ways comes before it, and all its ways lead to the step:
    nobody goes anywhere else than before. Steps below are not copied."""
    result = copied(definition)
    given = step_of(result, step)
    ways = ports.ways(given)
    if not ways:
        raise Refused("The journey ends at this step, so nothing can come after it.")
    make_room(result)
    key = new_key(result, str(given.get("type")), taken)
    twin = copy.deepcopy(given)
    if isinstance(given.get("name"), str) and given["name"]:
        twin["name"] = f"{given['name'][: LONGEST_NAME - 7]} (copy)"
    arms = [(step, ways[0][0])] if len(ways) == 1 else list(arms_to(result, step))
    twin["next"] = dict(ways) if len(ways) == 1 else {port: step for port, _ in ways}
    result["steps"][key] = twin
    for source, port in arms:
        lead(result, source, port, key)
    return Change(result, f"Duplicated “{name_of(definition, step)}”", key)
