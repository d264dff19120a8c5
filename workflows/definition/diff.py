"""What changed from one definition to another, in sentences, always in the same order: the workflow itself first, then
the steps in the order in which one meets them in the later one, those that are gone last.

It compares what is stored, so it also says what changed in a draft with mistakes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from workflows.definition import phrases
from workflows.definition.phrases import quoted, said
from workflows.definition.sentences import (
    mapping,
    re_entry_sentence,
    rule_sentence,
    setting_sentence,
    step_sentence,
    trigger_sentence,
)
from workflows.spelling import walk
from workflows.steps import registry

Kind = Literal["added", "removed", "renamed", "changed", "rewired"]
_MISSING = object()
_OWN = frozenset({"entry", "settings", "exit", "steps"})  # parts of a definition that have sentences of their own


@dataclass(frozen=True)
class Change:
    """`step` is the step's key, null for the workflow itself; `field` a dotted path in it; `before` and `after` what
    stands there, null where nothing does."""

    step: str | None
    kind: Kind
    field: str
    before: Any
    after: Any
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Empty where both say the same."""
    return [*_of_workflow(before, after), *_of_steps(before, after)]


def step_changes(key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What changed at one step that is there in both definitions."""
    old, new = mapping(before.get("steps")), mapping(after.get("steps"))
    return list(_of_step(key, mapping(old[key]), mapping(new[key]), _names(old), _names(new)))


# -- the workflow itself -----------------------------------------------------------------------------------------------


def _of_workflow(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name, was, now in _pairs(before, after):
        if name in _OWN:
            continue
        kind: Kind = "renamed" if name == "name" else "rewired" if name == "start" else "changed"
        what = "It begins at" if name == "start" else f"Its {name.replace('_', ' ')} is"
        of_steps = [_names(mapping(each.get("steps"))) for each in (before, after)] if name == "start" else [{}, {}]
        was_said, now_said = (
            quoted(names[value]) if isinstance(value, str) and value in names else said(value)
            for value, names in zip((was, now), of_steps, strict=True)
        )
        yield Change(None, kind, name, was, now, f"{what} {now_said} (was {was_said})")
    yield from _of_entry(mapping(before.get("entry")), mapping(after.get("entry")))
    for name, was, now in _pairs(mapping(before.get("settings")), mapping(after.get("settings"))):
        said_now = setting_sentence(name, now) or f"{name.replace('_', ' ').capitalize()} is not set any more"
        said_was = f" (before: {setting_sentence(name, was) or said(was)})" if was is not None else ""
        yield Change(None, "changed", f"settings.{name}", was, now, f"{said_now}{said_was}")
    yield from _of_exits(mapping(before.get("exit")), mapping(after.get("exit")))


_ENTRY = {
    "trigger": ("It starts when", trigger_sentence),
    "audience": ("It is only for contacts for whom it holds", phrases.condition),
    "re_entry": ("Re-entry", re_entry_sentence),
    "enrol_existing": ("Who is there already is brought in when it is published", said),
}


def _of_entry(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name, was, now in _pairs(before, after):
        words, say = _ENTRY.get(name, (name.replace("_", " ").capitalize(), said))
        said_was, said_now = (say(value) if value is not None else "nothing" for value in (was, now))
        yield Change(None, "changed", f"entry.{name}", was, now, f"{words}: {said_now} (was: {said_was})")


def _of_exits(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """Rules have no names: one that is there in both is the same one."""
    for name, words in (("goal", "Goal"), ("disqualify", "Disqualification")):
        old, new = (part if isinstance(part := exits.get(name), list) else [] for exits in (before, after))
        for rule in new:
            if rule not in old:
                yield Change(None, "added", f"exit.{name}", None, rule, f"{words} added: {rule_sentence(rule)}")
        for rule in old:
            if rule not in new:
                yield Change(None, "removed", f"exit.{name}", rule, None, f"{words} removed: {rule_sentence(rule)}")


# -- steps -------------------------------------------------------------------------------------------------------------


def _of_steps(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    old, new = mapping(before.get("steps")), mapping(after.get("steps"))
    called = _names(old), _names(new)
    for key in walk(after.get("start"), new):
        if key in old:
            yield from _of_step(key, mapping(old[key]), mapping(new[key]), *called)
        else:
            step = mapping(new[key])
            sentence = f"{quoted(called[1][key])} is new: {step_sentence(step)}"
            yield Change(key, "added", "", None, dict(step), sentence)
    for key in walk(before.get("start"), old):
        if key not in new:
            step = mapping(old[key])
            sentence = f"{quoted(called[0][key])} is gone: {step_sentence(step)}"
            yield Change(key, "removed", "", dict(step), None, sentence)


def _of_step(
    key: str, old: Mapping[str, Any], new: Mapping[str, Any], was_called: Mapping[str, str], called: Mapping[str, str]
) -> Iterator[Change]:
    """`was_called`, `called`: what steps are called before and after, by their keys."""
    whose = quoted(called[key])
    for name, was, now in _pairs(old, new):
        if name == "type":
            sentence = f"{whose} does something else: {step_sentence(new)} (was: {step_sentence(old)})"
            yield Change(key, "changed", "type", was, now, sentence)
        elif name == "name":
            sentence = f"{quoted(was_called[key])} is now called {quoted(called[key])}"
            yield Change(key, "renamed", "name", was, now, sentence)
        elif name == "skip_if":
            fates = [f"if {phrases.condition(tree)}" if tree is not None else "never" for tree in (now, was)]
            yield Change(key, "changed", name, was, now, f"{whose} is passed over {fates[0]} (was: {fates[1]})")
        elif name not in ("config", "next"):
            yield Change(key, "changed", name, was, now, f"{whose}: {name} is {said(now)} (was {said(was)})")
    if old.get("type") == new.get("type"):
        yield from _of_config(key, whose, old, new)
    for port, was, now in _pairs(mapping(old.get("next")), mapping(new.get("next")), absent=_MISSING):
        ways = [_way(target, names) for target, names in ((now, called), (was, was_called))]
        before, after = (None if target is _MISSING else target for target in (was, now))
        path = whose if port == "next" else f"{whose}: the path {quoted(_caption(new, port))}"
        yield Change(key, "rewired", f"next.{port}", before, after, f"{path} {ways[0]} (was: it {ways[1]})")


_WORDS = {"for": "its length", "at": "the local time", "if": "its condition", "set": "what it sets", "to": "the stage"}


def _of_config(key: str, whose: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    was_set, now_set = mapping(old.get("config")), mapping(new.get("config"))
    for name, was, now in _pairs(was_set, now_set, order=_settings_of(new)):
        if name == "arms" and (arms := _by_key(was, now)) is not None:
            yield from _of_arms(key, whose, *arms)
            continue
        words = _WORDS.get(name) or name.replace("_", " ")
        sentence = f"{whose}: {words} is {said(now, name)} (was {said(was, name)})"
        yield Change(key, "changed", f"config.{name}", was, now, sentence)


def _of_arms(key: str, whose: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for arm in [*new, *(arm for arm in old if arm not in new)]:
        was, now = old.get(arm), new.get(arm)
        field = f"config.arms.{arm}"
        if was is None and now is not None:
            sentence = f"{whose} has a new path {quoted(arm)}, if {phrases.condition(now.get('if'))}"
            yield Change(key, "changed", field, None, now, sentence)
        elif now is None and was is not None:
            sentence = f"{whose} has no path {quoted(arm)} any more (it was: if {phrases.condition(was.get('if'))})"
            yield Change(key, "changed", field, was, None, sentence)
        elif was != now:
            first, then = (phrases.condition(mapping(each).get("if")) for each in (now, was))
            sentence = f"{whose}: the path {quoted(arm)} is taken if {first} (was: if {then})"
            yield Change(key, "changed", field, was, now, sentence)
    kept = [arm for arm in old if arm in new]
    if kept != [arm for arm in new if arm in old]:
        order = ", ".join(quoted(arm) for arm in new)
        yield Change(key, "changed", "config.arms", list(old), list(new), f"{whose} asks in another order: {order}")


def _by_key(was: Any, now: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The arms by their keys; None where they are not the arms of a branch."""
    found = []
    for arms in (was, now):
        if not isinstance(arms, list) or not all(
            isinstance(arm, dict) and isinstance(arm.get("key"), str) for arm in arms
        ):
            return None
        found.append({arm["key"]: arm for arm in arms})
        if len(found[-1]) < len(arms):
            return None
    return found[0], found[1]


def _way(target: Any, names: Mapping[str, str]) -> str:
    if target is _MISSING:
        return "is not there"
    known = isinstance(target, str) and target in names
    return "ends the journey" if target is None else f"leads to {quoted(names[target] if known else target)}"


def _names(steps: Mapping[str, Any]) -> dict[str, str]:
    """What people call each step: its name, else what it does. The key is said only where several are called the
    same."""
    names = {key: _name(key, mapping(step)) for key, step in steps.items()}
    often = Counter(names.values())
    return {key: name if often[name] == 1 else f"{name} ({key})" for key, name in names.items()}


def _name(key: str, step: Mapping[str, Any]) -> str:
    name = step.get("name")
    if isinstance(name, str) and name:
        return name
    kind = registry.find(str(step.get("type")))
    return kind.label if kind else key


def _caption(step: Mapping[str, Any], port: str) -> str:
    """As it stands at the line on the map."""
    kind = registry.find(str(step.get("type")))
    return kind.caption(mapping(step.get("config")), port) if kind else port


def _settings_of(step: Mapping[str, Any]) -> list[str]:
    kind = registry.find(str(step.get("type")))
    return [field.alias or name for name, field in kind.Config.model_fields.items()] if kind else []


def _pairs(
    before: Mapping[str, Any], after: Mapping[str, Any], *, absent: Any = None, order: list[str] | None = None
) -> Iterator[tuple[str, Any, Any]]:
    """The names whose values differ, in an order that does not hang on how they were stored."""
    places = {name: place for place, name in enumerate(order or [])}
    for name in sorted({*before, *after}, key=lambda name: (places.get(name, len(places)), name)):
        was, now = before.get(name, absent), after.get(name, absent)
        if was is not now and (was != now or type(was) is not type(now)):
            yield name, was, now
