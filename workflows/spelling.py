"""A definition in its usual order: what it is, how one enters, then the steps in the order in which one meets them;
keys in the order of the schema. The order depends on what is said alone, not on how it was stored. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contacts.spelling import arranged, arranged_deeply, neat
from workflows.definition import schema
from workflows.steps import registry

_TOP = ("schema", "name", "slug", "entry", "settings", "exit", "start", "steps")
_ENTRY = tuple(schema.Entry.model_fields)
_SETTINGS = tuple(schema.Settings.model_fields)
_QUIET = ("from", "to", "policy")
_RULE = tuple(schema.ExitRule.model_fields)
_STEP = tuple(schema.Step.model_fields)
_ARM = ("key", "if", "field", "event", "op", "value", "count", "within", "where")
_OTHERWISE = {"else", "timed_out"}


def spelled(definition: Any) -> str:
    """The text of a definition; keys nobody knows come after those that are known, by the alphabet."""
    return neat(ordered(definition))


def ordered(definition: Any) -> Any:
    if not isinstance(definition, Mapping):
        return definition
    result = arranged(_sorted(definition), _TOP)
    if isinstance(result.get("entry"), Mapping):
        result["entry"] = {key: arranged_deeply(part) for key, part in arranged(result["entry"], _ENTRY).items()}
    if isinstance(result.get("steps"), Mapping):
        steps = result["steps"]
        result["steps"] = {key: _step(steps[key]) for key in walk(result.get("start"), steps)}
    if isinstance(result.get("settings"), Mapping):
        settings = arranged(result["settings"], _SETTINGS)
        result["settings"] = {name: arranged_deeply(part, _QUIET) for name, part in settings.items()}
    if isinstance(result.get("exit"), Mapping):
        exits = arranged(result["exit"], tuple(schema.Exit.model_fields))
        result["exit"] = {name: _rules(rules) for name, rules in exits.items()}
    return result


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(part) for part in value] if isinstance(value, list) else value


def _rules(rules: Any) -> Any:
    if not isinstance(rules, list):
        return arranged_deeply(rules)
    return [arranged_deeply(arranged(rule, _RULE)) if isinstance(rule, Mapping) else rule for rule in rules]


def _step(step: Any) -> Any:
    if not isinstance(step, Mapping):
        return step
    result = arranged(step, _STEP)
    if isinstance(result.get("config"), Mapping):
        result["config"] = {
            key: arranged_deeply(part, _ARM if key == "arms" else ("type", *_ARM))
            for key, part in arranged(result["config"], _settings_of(result.get("type"))).items()
        }
    if "skip_if" in result:
        result["skip_if"] = arranged_deeply(result["skip_if"])
    if isinstance(result.get("next"), Mapping):
        result["next"] = dict(sorted(result["next"].items(), key=lambda way: (way[0] in _OTHERWISE, way[0])))
    return result


def _settings_of(kind: Any) -> tuple[str, ...]:
    """The names of a step's settings, as its type has them; none for a type that nobody knows."""
    found = registry.find(kind) if isinstance(kind, str) else None
    return tuple(field.alias or name for name, field in found.Config.model_fields.items()) if found else ()


def walk(start: Any, steps: Mapping[str, Any]) -> list[str]:
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
