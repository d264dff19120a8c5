"""A definition as people write it. The database keeps JSON by value, so the order of its keys is lost; here the usual
order comes back: what it is, how one enters, then the steps in the order in which one meets them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

_TOP = ("schema", "name", "slug", "entry", "settings", "exit", "start", "steps")
_ENTRY = ("trigger", "audience", "re_entry")
_STEP = ("type", "name", "config", "skip_if", "next")
_CONFIG = ("mode", "template", "topic", "event", "where", "if", "arms", "key", "for", "at", "weekday")
_CONDITION = ("type", "field", "event", "op", "value", "count", "within", "where")


def spelled(definition: Any) -> str:
    """Two-space JSON in the usual order; keys nobody knows come after those that are known, in their own order."""
    return json.dumps(ordered(definition), indent=2, ensure_ascii=False)


def ordered(definition: Any) -> Any:
    if not isinstance(definition, Mapping):
        return definition
    result = _by(definition, _TOP)
    if isinstance(result.get("entry"), Mapping):
        entry = _by(result["entry"], _ENTRY)
        result["entry"] = {key: _deep(value) for key, value in entry.items()}
    if isinstance(result.get("steps"), Mapping):
        steps = result["steps"]
        result["steps"] = {key: _step(steps[key]) for key in _walk(result.get("start"), steps)}
    if isinstance(result.get("exit"), Mapping):
        result["exit"] = _deep(result["exit"])
    return result


def _by(mapping: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    known = {key: mapping[key] for key in order if key in mapping}
    return {**known, **{key: value for key, value in mapping.items() if key not in known}}


def _deep(value: Any, order: Sequence[str] = _CONDITION) -> Any:
    if isinstance(value, Mapping):
        return {key: _deep(part) for key, part in _by(value, order).items()}
    return [_deep(part) for part in value] if isinstance(value, list) else value


def _step(step: Any) -> Any:
    if not isinstance(step, Mapping):
        return step
    result = _by(step, _STEP)
    if isinstance(result.get("config"), Mapping):
        result["config"] = {
            key: [_deep(_by(arm, ("key", "if")) if isinstance(arm, Mapping) else arm, ("key", "if")) for arm in value]
            if key == "arms" and isinstance(value, list)
            else _deep(value)
            for key, value in _by(result["config"], _CONFIG).items()
        }
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
        if isinstance(ways, Mapping):
            todo += [ways[port] for port in sorted(ways, key=_else_first)]
    return [*seen, *(key for key in sorted(steps) if key not in seen)]


def _else_first(port: str) -> tuple[bool, str]:
    """Ways out of a branch, last one first for a stack: `else` is written last, the arms by name."""
    return (port not in {"else", "timed_out"}, port)
