"""One function says what is wrong with a definition: for the API, the builder, import and publish alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from delivery import templates
from workflows import waits
from workflows.definition.conditions import STEP_SCOPE, condition_problems
from workflows.definition.problems import Problem
from workflows.definition.schema import Definition, Step
from workflows.steps import registry


def validate(definition: Any) -> list[Problem]:
    """Everything wrong with it, errors first. Reads the templates that it names; writes nothing."""
    try:
        parsed = Definition.model_validate(definition)
    except ValidationError as error:
        return list(_schema_problems(error))
    problems = [
        *_entry_problems(parsed),
        *_graph_problems(parsed),
        *_step_problems(parsed),
    ]
    return sorted(problems, key=lambda problem: problem.severity)


def _schema_problems(error: ValidationError) -> Iterator[Problem]:
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        loc = [str(part) for part in item["loc"]]
        step = loc[1] if len(loc) > 2 and loc[0] == "steps" else None
        if loc[:2] == ["entry", "trigger"]:
            del loc[2:3]  # the kind of trigger, which pydantic takes for a place
        field = ".".join(loc[2:] if step else loc)
        yield Problem(step, field, _code(item["type"]), item["msg"])


_CODES = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "union_tag_invalid": "unknown_type",
    "union_tag_not_found": "missing",
}


def _code(pydantic_type: str) -> str:
    return _CODES.get(pydantic_type, "bad_value")


def _entry_problems(definition: Definition) -> Iterator[Problem]:
    entry = definition.entry
    yield from entry.trigger.problems()
    yield from condition_problems(entry.audience, None, "entry.audience", frozenset({"contact"}))
    if entry.re_entry.policy == "after_cooldown" and entry.re_entry.cooldown is None:
        yield Problem(None, "entry.re_entry.cooldown", "missing", "re-entry after a cooldown needs its length")
    zone = definition.settings.default_timezone
    if zone and waits.zone(zone) is None:
        yield Problem(None, "settings.default_timezone", "bad_value", f"{zone!r} is not an IANA time zone")


def _graph_problems(definition: Definition) -> Iterator[Problem]:
    steps = definition.steps
    if definition.start not in steps:
        yield Problem(None, "start", "dangling_next", f"there is no step {definition.start!r}")
    for key, step in steps.items():
        for port, target in step.next.items():
            if target is not None and target not in steps:
                yield Problem(key, f"next.{port}", "dangling_next", f"there is no step {target!r}")
    looping = _first_loop(definition)
    if looping:
        yield Problem(looping, "next", "cycle", "this step leads back to itself; a workflow has no loops")
    reached = _reachable(definition)
    for key in steps:
        if key not in reached:
            yield Problem(key, "", "unreachable", "nothing leads to this step", "warning")


def _targets(step: Step) -> list[str]:
    return [target for target in step.next.values() if target is not None]


def _reachable(definition: Definition) -> set[str]:
    seen: set[str] = set()
    todo = [definition.start]
    while todo:
        key = todo.pop()
        if key in seen or key not in definition.steps:
            continue
        seen.add(key)
        todo += _targets(definition.steps[key])
    return seen


def _first_loop(definition: Definition) -> str | None:
    """A step on a loop, or None (Kahn: what cannot be sorted topologically lies on or behind a loop)."""
    steps = definition.steps
    incoming = dict.fromkeys(steps, 0)
    for step in steps.values():
        for target in _targets(step):
            if target in incoming:
                incoming[target] += 1
    todo = [key for key, count in incoming.items() if count == 0]
    while todo:
        key = todo.pop()
        incoming.pop(key)
        for target in _targets(steps[key]):
            if target in incoming:
                incoming[target] -= 1
                if incoming[target] == 0:
                    todo.append(target)
    while incoming:  # drop what merely lies behind the loop
        dead_ends = [key for key in incoming if not any(target in incoming for target in _targets(steps[key]))]
        if not dead_ends:
            return min(incoming)
        for key in dead_ends:
            incoming.pop(key)
    return None


def _step_problems(definition: Definition) -> Iterator[Problem]:
    named_templates: dict[str, list[tuple[str, str]]] = {}
    for key, step in definition.steps.items():
        step_type = registry.find(step.type)
        if step_type is None:
            known = ", ".join(registry.keys())
            yield Problem(key, "type", "unknown_type", f"there is no step type {step.type!r}; there are {known}")
            continue
        try:
            config = step_type.Config.model_validate(step.config)
        except ValidationError as error:
            for item in error.errors(include_url=False, include_context=False, include_input=False):
                field = ".".join(["config", *(str(part) for part in item["loc"])])
                yield Problem(key, field, "bad_config", item["msg"])
            continue
        yield from _port_problems(key, step, step_type.ports(config))
        yield from step_type.problems(config, key)
        yield from condition_problems(step.skip_if, key, "skip_if", STEP_SCOPE)
        if step.skip_if is not None and not step_type.ports(config):
            yield Problem(key, "skip_if", "no_way_on", "nothing comes after this step, so it cannot be skipped")
        for field, slug in template_references(config):
            named_templates.setdefault(slug, []).append((key, field))
    missing = set(named_templates) - set(templates.live_version_ids(sorted(named_templates)))
    for slug in sorted(missing):
        for key, field in named_templates[slug]:
            yield Problem(key, field, "ref_missing", f"there is no template {slug!r}")


def template_references(config: BaseModel) -> Iterator[tuple[str, str]]:
    """The templates that a step's settings name: (field, slug)."""
    slug = getattr(config, "template", None)
    if slug:
        yield "config.template", slug


def _port_problems(key: str, step: Step, ports: tuple[str, ...]) -> Iterator[Problem]:
    for port in ports:
        if port not in step.next:
            yield Problem(
                key, f"next.{port}", "port_mismatch", f"say where {port!r} leads: a step, or null for the end"
            )
    for port in step.next:
        if port not in ports:
            expected = ", ".join(ports) or "none"
            yield Problem(key, f"next.{port}", "port_mismatch", f"this step has no port {port!r}; it has {expected}")
