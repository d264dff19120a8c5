"""One function says what is wrong with a definition: for the API, the builder, import and publish alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from contacts import wall_clock
from delivery.authoring import templates
from workflows.definition import circles, complaints, limits, onward
from workflows.definition.conditions import HAPPENED_SCOPE, STEP_SCOPE, condition_problems
from workflows.definition.problems import Problem
from workflows.definition.schema import Definition, Key, Step
from workflows.spelling import walk
from workflows.steps import registry
from workflows.steps.enter_workflow import EnterWorkflowConfig

_KEY: TypeAdapter[str] = TypeAdapter(Key)
_LOOP_SAID = 6  # steps of a loop that are named
RESERVED = frozenset({"schema", "dead-letters"})  # what stands at these names below /api/v1/workflows/ is no workflow


def validate(definition: Any) -> list[Problem]:
    """Everything wrong with it, errors first, those of the journey as a whole before those of its steps, in the order
    in which one meets them, however they were stored; of a great many problems the first ones. Where the whole has not
    the shape of a definition, what is wrong with those of its steps that have theirs is told as well. Reads the
    templates that it names, and the journeys that are live; writes nothing."""
    if (too_much := limits.problem_of(definition)) is not None:
        return [too_much]
    try:
        parsed = Definition.model_validate(definition)
    except ValidationError as error:
        slug, steps = _readable(definition)
        return _first(definition, [*_schema_problems(error), *_step_problems(slug, steps)])
    problems = [
        *_slug_problems(parsed),
        *_entry_problems(parsed),
        *_exit_problems(parsed),
        *_graph_problems(parsed),
        *_step_problems(parsed.slug, parsed.steps),
        *circles.problems(parsed),
    ]
    return _first(definition, problems)


def _first(definition: Any, found: list[Problem]) -> list[Problem]:
    given = definition if isinstance(definition, Mapping) else {}
    steps = given["steps"] if isinstance(given.get("steps"), Mapping) else {}
    met = {key: place for place, key in enumerate(walk(given.get("start"), {str(key): steps[key] for key in steps}))}

    def place(problem: Problem) -> tuple[str, int]:
        return problem.severity, -1 if problem.step is None else met.get(problem.step, len(met))

    problems = sorted(found, key=place)
    more = len(problems) - limits.PROBLEMS
    if more <= 0:
        return problems
    kept = problems[: limits.PROBLEMS]
    return [*kept, Problem(None, "", "more", f"and {more:,} more problems", problems[limits.PROBLEMS].severity)]


def _readable(definition: Any) -> tuple[str, dict[str, Step]]:
    """The slug, and the steps that can be read by themselves: a journey whose trigger is not chosen yet still says
    what its steps lack."""
    given = definition if isinstance(definition, Mapping) else {}
    steps: dict[str, Step] = {}
    for key, step in given["steps"].items() if isinstance(given.get("steps"), Mapping) else ():
        try:
            steps[_KEY.validate_python(key)] = Step.model_validate(step)
        except ValidationError:
            continue  # the envelope's own problems tell it
    slug = given.get("slug")
    return slug if isinstance(slug, str) else "", steps


def _schema_problems(error: ValidationError) -> Iterator[Problem]:
    items = error.errors(include_url=False, include_input=False)
    empty = any(item["loc"] == ("steps",) and item["type"] == "too_short" for item in items)
    for item in items:
        loc = [str(part) for part in item["loc"]]
        if empty and loc in (["start"], ["steps"]):  # nothing to begin with: said once
            if loc == ["steps"]:
                yield Problem(None, "steps", "bad_value", "there is no step yet: add the first one")
            continue
        step = loc[1] if len(loc) > 2 and loc[0] == "steps" else None
        if loc[:2] == ["entry", "trigger"]:
            loc[2:3] = ["type"] if item["type"].startswith("union_tag") else []  # else the kind: no place of a file
        field = ".".join(loc[2:] if step else loc)
        nothing_starts = field == "entry.trigger" and item["type"] == "missing"
        said = "choose what starts this journey" if nothing_starts else complaints.said(item)
        yield Problem(step, field, _code(item["type"]), said)


_CODES = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "union_tag_invalid": "unknown_type",
    "union_tag_not_found": "missing",
}


def _code(pydantic_type: str) -> str:
    return _CODES.get(pydantic_type, "bad_value")


def _slug_problems(definition: Definition) -> Iterator[Problem]:
    if definition.slug in RESERVED:
        yield Problem(None, "slug", "reserved", f"{definition.slug!r} is an address of the API: take another one")


def _entry_problems(definition: Definition) -> Iterator[Problem]:
    entry = definition.entry
    yield from entry.trigger.problems()
    yield from condition_problems(entry.audience, None, "entry.audience", frozenset({"contact"}))
    if entry.enrol_existing and not entry.trigger.existing:
        message = "a date brings people in when it comes; there is nobody to bring in before"
        yield Problem(None, "entry.enrol_existing", "bad_value", message)
    if entry.re_entry.policy == "after_cooldown" and entry.re_entry.cooldown is None:
        yield Problem(None, "entry.re_entry.cooldown", "missing", "re-entry after a cooldown needs its length")
    zone = definition.settings.default_timezone
    if zone and wall_clock.zone(zone) is None:
        yield Problem(None, "settings.default_timezone", "bad_value", f"{zone!r} is not an IANA time zone")


def _exit_problems(definition: Definition) -> Iterator[Problem]:
    for kind, rules in (("goal", definition.exit.goal), ("disqualify", definition.exit.disqualify)):
        for number, rule in enumerate(rules):
            field = f"exit.{kind}.{number}"
            yield from condition_problems(rule.where, None, f"{field}.where", HAPPENED_SCOPE)
            yield from condition_problems(rule.condition, None, f"{field}.condition", STEP_SCOPE)


def _graph_problems(definition: Definition) -> Iterator[Problem]:
    steps = definition.steps
    if definition.start not in steps:
        yield Problem(None, "start", "dangling_next", f"there is no step {definition.start!r}")
    for key, step in steps.items():
        for port, target in step.next.items():
            if target is not None and target not in steps:
                yield Problem(key, f"next.{port}", "dangling_next", f"there is no step {target!r}")
    loop = _loop(definition)
    if loop:
        way = " → ".join([*loop[:_LOOP_SAID], *(["…"] if len(loop) > _LOOP_SAID else []), loop[0]])
        yield Problem(loop[0], "next", "cycle", f"this step leads back to itself ({way}); a journey has no loops")
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


def _loop(definition: Definition) -> list[str]:
    """The steps of one loop in their order, beginning with the first by name; empty if there is none. Depth first,
    and every way is taken once: a step that was left without meeting itself lies on no loop."""
    steps = definition.steps
    left: set[str] = set()
    for first in steps:
        if first in left:
            continue
        path, ways = [first], [iter(_targets(steps[first]))]
        on_path = {first}
        while path:
            target = next((way for way in ways[-1] if way in steps and way not in left), None)
            if target is None:
                on_path.remove(path[-1])
                left.add(path.pop())
                ways.pop()
            elif target in on_path:
                loop = path[path.index(target) :]
                least = loop.index(min(loop))
                return loop[least:] + loop[:least]
            else:
                path.append(target)
                on_path.add(target)
                ways.append(iter(_targets(steps[target])))
    return []


def _step_problems(slug: str, steps: Mapping[str, Step]) -> Iterator[Problem]:
    named_templates: dict[str, list[tuple[str, str]]] = {}
    named_journeys: dict[str, list[str]] = {}
    for key, step in steps.items():
        step_type = registry.find(step.type)
        if step_type is None:
            known = ", ".join(registry.keys())
            yield Problem(key, "type", "unknown_type", f"there is no step type {step.type!r}; there are {known}")
            continue
        try:
            config = step_type.Config.model_validate(step.config)
        except ValidationError as error:
            for item in error.errors(include_url=False, include_input=False):
                field = ".".join(["config", *(str(part) for part in item["loc"])])
                yield Problem(key, field, "bad_config", complaints.said(item))
            continue
        yield from _port_problems(key, step, step_type.ports(config))
        yield from step_type.problems(config, key)
        yield from condition_problems(step.skip_if, key, "skip_if", STEP_SCOPE)
        if step.skip_if is not None and not step_type.ports(config):
            yield Problem(key, "skip_if", "no_way_on", "nothing comes after this step, so it cannot be skipped")
        for field, template in template_references(config):
            named_templates.setdefault(template, []).append((key, field))
        if isinstance(config, EnterWorkflowConfig):
            named_journeys.setdefault(config.workflow, []).append(key)
    yield from onward.problems(slug, named_journeys)
    yield from _template_problems(steps, named_templates)


def _template_problems(steps: Mapping[str, Step], named: dict[str, list[tuple[str, str]]]) -> Iterator[Problem]:
    """`named`: slug -> the steps and fields that name the template."""
    slugs = sorted(named)
    channels, live = templates.channels(slugs), templates.live_version_ids(slugs)
    personal = templates.personal_in(slugs)
    for slug, places in named.items():
        for key, field in places:
            wanted = steps[key].type.removeprefix("send_")
            if channels.get(slug, wanted) != wanted:
                message = f"{slug!r} is a template for {channels[slug]}; this step sends {wanted}"
                yield Problem(key, field, "wrong_channel", message, "warning")
            if slug in personal:
                message = f"the subject of {slug!r} shows {personal[slug]}, which is personal"
                yield Problem(key, field, "personal", message)
    for slug in slugs:
        for key, field in named[slug] if slug not in live else ():
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
            yield Problem(key, f"next.{port}", "port_mismatch", f"this step has no path {port!r}; it has {expected}")
