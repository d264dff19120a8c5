"""Values in a step's settings that are taken from the entry event: {"ref": "trigger.order_id"}. They mean what they
mean in conditions: `trigger.type` and `trigger.occurred_at` are the event's own, every other name is a property.
Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contacts.conditions.fields import UnknownField, resolve, resolve_path
from contacts.conditions.tree import Target
from workflows.definition.problems import Problem

DEEPEST = 16
MISSING = object()  # in the place of a value that the entry event does not have
_SCOPE = frozenset({"trigger"})
_HINT = 'a value may be taken from the entry event: {"ref": "trigger.NAME"}'


def is_reference(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"ref"}


def reference_problems(value: Any, step: str, field: str, *, depth: int = 1) -> Iterator[Problem]:
    """What is wrong with the references in `value`, which stands at `field`."""
    if depth > DEEPEST:
        yield Problem(step, field, "too_deep", f"values may be nested {DEEPEST} deep")
    elif is_reference(value):
        try:
            _target(value["ref"])
        except UnknownField as error:
            yield Problem(step, f"{field}.ref", error.code, str(error))
    elif isinstance(value, Mapping):
        for name, inside in value.items():
            yield from reference_problems(inside, step, f"{field}.{name}", depth=depth + 1)
    elif isinstance(value, list):
        for position, inside in enumerate(value):
            yield from reference_problems(inside, step, f"{field}.{position}", depth=depth + 1)


def filled(value: Any, trigger: Mapping[str, Any]) -> Any:
    """The value with its references replaced. What the entry event does not have is null; where that is the value
    itself, it is MISSING."""
    if is_reference(value):
        return _read(_target(value["ref"]), trigger)
    if isinstance(value, Mapping):
        return {name: _or_null(filled(inside, trigger)) for name, inside in value.items()}
    if isinstance(value, list):
        return [_or_null(filled(inside, trigger)) for inside in value]
    return value


def _or_null(value: Any) -> Any:
    return None if value is MISSING else value


def _target(ref: Any) -> Target:
    """Raises UnknownField."""
    if isinstance(ref, str):
        target = resolve(ref, _SCOPE) if ref.startswith("trigger.") else None
    else:
        is_path = isinstance(ref, list) and all(isinstance(part, str) for part in ref) and ref[:1] == ["trigger"]
        target = resolve_path(ref, _SCOPE) if is_path else None
    if target is None:
        raise UnknownField("wrong_value", _HINT)
    return target


def _read(target: Target, trigger: Mapping[str, Any]) -> Any:
    value: Any = trigger if target.own else trigger.get("properties")
    for key in target.keys:
        if not isinstance(value, Mapping) or key not in value:
            return MISSING
        value = value[key]
    return MISSING if value is None else value
