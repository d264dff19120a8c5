"""A definition in English: what starts it, what it is set to, when people leave, and what each step does.

It reads any stored definition, also a draft with mistakes and a version whose kinds of steps are no longer here: what
cannot be said is quoted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from workflows.definition import phrases
from workflows.definition.phrases import quoted, said, span
from workflows.spelling import walk
from workflows.steps import registry
from workflows.triggers import registry as triggers
from workflows.triggers.base import TriggerType
from workflows.triggers.registry import Trigger

_TRIGGER: TypeAdapter[TriggerType] = TypeAdapter(Trigger)
_POLICIES = {
    "never": "Nobody enters twice",
    "after_exit": "Whoever has left may enter again",
    "every_time": "Everybody enters again at every occasion",
}
_SETTINGS = {
    "lane": lambda value: f"It runs in the {value} lane",
    "message_class": lambda value: f"Its messages are {value}",
    "priority": lambda value: f"Its priority is {said(value)}",
    "concurrency_cap": lambda value: f"At most {said(value)} people are active in it at once",
    "snapshot_attributes": lambda value: "Conditions read the attributes as they were at entry" if value else "",
    "override_frequency_cap": lambda value: "Its messages pass the frequency cap" if value else "",
    "default_timezone": lambda value: f"Who has no time zone is taken to be in {value}",
    "rollout_percent": lambda value: f"{said(value)} % of the people are let in",
    "holdout_percent": lambda value: f"{said(value)} % of them are held out for comparison" if value else "",
    "max_duration": lambda value: f"Whoever is not through after {span(value)} leaves",
}


@dataclass(frozen=True)
class Sentences:
    """`steps` in the order in which one meets them, by their keys."""

    entry: tuple[str, ...]
    settings: tuple[str, ...]
    exits: tuple[str, ...]
    steps: Mapping[str, str]


def sentences(definition: Mapping[str, Any]) -> Sentences:
    steps = mapping(definition.get("steps"))
    return Sentences(
        entry=tuple(_entry(mapping(definition.get("entry")))),
        settings=tuple(_settings(mapping(definition.get("settings")))),
        exits=tuple(exit_rules(definition.get("exit"))),
        steps={key: step_sentence(steps[key]) for key in walk(definition.get("start"), steps)},
    )


def step_sentence(step: Any) -> str:
    """What one step does, with when it is passed over."""
    step = mapping(step)
    skip = step.get("skip_if")
    passed_over = f" (passed over if {phrases.condition(skip)})" if skip is not None else ""
    return f"{_deed(step)}{passed_over}"


def _deed(step: Mapping[str, Any]) -> str:
    config = mapping(step.get("config"))
    kind = registry.find(str(step.get("type")))
    if kind is not None:
        try:
            return phrases.clipped(kind.sentence(kind.Config.model_validate(config)), phrases.SENTENCE)
        except (ValidationError, RecursionError):
            pass
    given = phrases.settings(config)
    label = kind.label if kind else f"Step of the kind {said(step.get('type'))}"
    return f"{label}: {given}" if given else label


def trigger_sentence(trigger: Any) -> str:
    if trigger is None:
        return "Nothing starts it yet"
    try:
        return phrases.clipped(_TRIGGER.validate_python(trigger).sentence(), phrases.SENTENCE)
    except (ValidationError, RecursionError):
        pass
    given = mapping(trigger)
    kind = triggers.find(str(given.get("type")))
    if kind is None:
        return f"Trigger {said(trigger)}"
    settings = phrases.settings({name: value for name, value in given.items() if name != "type"})
    return f"{kind.label}: {settings}" if settings else kind.label


def _entry(entry: Mapping[str, Any]) -> list[str]:
    found = [f"It starts when: {trigger_sentence(entry.get('trigger'))}"]
    if entry.get("audience") is not None:
        found.append(f"Only for contacts for whom it holds: {phrases.condition(entry['audience'])}")
    found.append(re_entry_sentence(entry.get("re_entry")))
    if entry.get("enrol_existing"):
        found.append("When it is published, those who are there already are brought in")
    return found


def re_entry_sentence(rule: Any) -> str:
    rule = mapping(rule)
    policy = rule.get("policy", "never")
    if policy == "after_cooldown":
        sentence = f"Whoever has left may enter again {span(rule.get('cooldown'))} later"
    else:
        sentence = _POLICIES.get(policy, f"Re-entry {said(policy)}") if isinstance(policy, str) else said(policy)
    return f"{sentence}, counted for each {rule['key']}" if rule.get("key") else sentence


def _settings(settings: Mapping[str, Any]) -> list[str]:
    said_so = [setting_sentence(name, value) for name, value in settings.items()]
    return [sentence for sentence in said_so if sentence]


def setting_sentence(name: str, value: Any) -> str:
    """Empty for what is switched off, or not said."""
    if value is None:
        return ""
    if name == "quiet_hours" and isinstance(value, Mapping):
        fate = "skipped" if value.get("policy") == "skip" else "put off to their end"
        return f"Messages between {value.get('from')} and {value.get('to')} are {fate}"
    if name in _SETTINGS and isinstance(value, str | int | float):
        return _SETTINGS[name](value)
    return f"{name.replace('_', ' ').capitalize()}: {said(value)}"


def exit_rules(exits: Any) -> list[str]:
    exits = mapping(exits)
    goals = [f"The goal is achieved: {rule_sentence(rule)}" for rule in _list(exits, "goal")]
    return goals + [f"Whoever no longer qualifies leaves: {rule_sentence(rule)}" for rule in _list(exits, "disqualify")]


def rule_sentence(rule: Any) -> str:
    rule = mapping(rule)
    if rule.get("event") is not None:
        where = f", if {phrases.condition(rule['where'])}" if rule.get("where") is not None else ""
        return f"the event {quoted(rule['event'])}{where}"
    return phrases.condition(rule.get("condition"))


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(exits: Mapping[str, Any], name: str) -> Sequence[Any]:
    rules = exits.get(name)
    return rules if isinstance(rules, list) else ()
