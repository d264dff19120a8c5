"""A definition in its usual order: what it is, how one enters, then the steps in the order in which one meets them.
Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contacts.spelling import arranged, arranged_deeply, neat

_TOP = ("schema", "name", "slug", "entry", "settings", "exit", "start", "steps")
_ENTRY = ("trigger", "audience", "re_entry")
_STEP = ("type", "name", "config", "skip_if", "next")
_CONFIG = ("mode", "template", "topic", "event", "where", "if", "arms", "key", "for", "at", "weekday")
_ARM = ("key", "if", "field", "event", "op", "value", "count", "within", "where")
_OTHERWISE = {"else", "timed_out"}


def spelled(definition: Any) -> str:
    """The text of a definition; keys nobody knows come after those that are known, in their own order."""
    return neat(ordered(definition))


def ordered(definition: Any) -> Any:
    if not isinstance(definition, Mapping):
        return definition
    result = arranged(definition, _TOP)
    if isinstance(result.get("entry"), Mapping):
        result["entry"] = {key: arranged_deeply(part) for key, part in arranged(result["entry"], _ENTRY).items()}
    if isinstance(result.get("steps"), Mapping):
        steps = result["steps"]
        result["steps"] = {key: _step(steps[key]) for key in _walk(result.get("start"), steps)}
    if "exit" in result:
        result["exit"] = arranged_deeply(result["exit"])
    return result


def _step(step: Any) -> Any:
    if not isinstance(step, Mapping):
        return step
    result = arranged(step, _STEP)
    if isinstance(result.get("config"), Mapping):
        result["config"] = {
            key: arranged_deeply(part, _ARM if key == "arms" else ("type", *_ARM))
            for key, part in arranged(result["config"], _CONFIG).items()
        }
    if isinstance(result.get("next"), Mapping):
        result["next"] = dict(sorted(result["next"].items(), key=lambda way: (way[0] in _OTHERWISE, way[0])))
    return result


def _walk(start: Any, steps: Mapping[str, Any]) -> list[str]:
    """Every step, those that are reached from the start first and as early as possible, depth before breadth."""
    seen: dict[str, None] = {}
    todo = [start]
    while todo:
        key = todo.pop()
        if not isinstance(key, str) or key in seen or key not in steps:
            continue
        seen[key] = None
        ways = steps[key].get("next") if isinstance(steps[key], Mapping) else None
        if isinstance(ways, Mapping):  # the last one put on the stack is the first one taken
            todo += [ways[port] for port in sorted(ways, key=lambda port: (port in _OTHERWISE, port), reverse=True)]
    return [*seen, *(key for key in sorted(steps) if key not in seen)]
