"""What one version of a score says differently from another, rule by rule, in sentences. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scoring.rulesets import wording

ADDED, REMOVED, CHANGED, MOVED, SETTING = "added", "removed", "changed", "moved", "setting"

_ON_ACTIVATION = {"emit": "crossings are told", "rebase": "crossings are not told"}


@dataclass(frozen=True)
class Change:
    """`kind` is one of ADDED, REMOVED, CHANGED, MOVED (rules, by their name `what`) and SETTING (`what`: which of
    them). Each of `sentences` says one thing, e.g. `points: +10 → +15`."""

    kind: str
    what: str
    sentences: tuple[str, ...]


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """From one ruleset to another, both as `versions.as_written` gives them. Rules are the same rule where they have
    the same name (the first with the first, where a name is used twice), or, of those that are left, where they differ
    in nothing but their name. Settings come first, then the rules in the order of `after`, then those that are gone."""
    return (*_settings(before, after), *_rules(before["rules"], after["rules"]))


Rule = Mapping[str, Any]


def _rules(before: Sequence[Rule], after: Sequence[Rule]) -> Iterable[Change]:
    pairs = _paired(before, after)
    kept = [pairs[place] for place in range(len(after)) if place in pairs]
    moved = _out_of_order(kept)
    for place, rule in enumerate(after):
        if place not in pairs:
            yield Change(ADDED, rule["name"], (described(rule),))
            continue
        said = tuple(_differences(before[pairs[place]], rule))
        if said:
            yield Change(CHANGED, rule["name"], said)
        elif pairs[place] in moved:
            yield Change(MOVED, rule["name"], ("stands in another place, which changes no score",))
    gone = set(range(len(before))) - set(pairs.values())
    for place in sorted(gone):
        yield Change(REMOVED, before[place]["name"], (described(before[place]),))


def _paired(before: Sequence[Rule], after: Sequence[Rule]) -> dict[int, int]:
    """The place in `after` -> the place in `before` of the same rule."""
    pairs: dict[int, int] = {}
    free = dict(enumerate(before))

    def pair(same: Any) -> None:
        for place, rule in enumerate(after):
            if place in pairs:
                continue
            found = next((there for there, other in free.items() if same(rule, other)), None)
            if found is not None:
                pairs[place] = found
                del free[found]

    pair(lambda one, other: _plain(one) == _plain(other))
    pair(lambda one, other: one["name"] == other["name"])
    pair(lambda one, other: _plain({**one, "name": ""}) == _plain({**other, "name": ""}))
    return pairs


def _out_of_order(places: Sequence[int]) -> set[int]:
    """The fewest places without which the others ascend."""
    best: list[list[int]] = []
    for place in places:
        before = [run for run in best if run[-1] < place]
        best.append([*(max(before, key=len) if before else ()), place])
    return set(places) - set(max(best, key=len) if best else ())


def _differences(before: Rule, after: Rule) -> Iterable[str]:
    if before["name"] != after["name"]:
        yield f"was called “{before['name']}”"
    if _plain(before["signal"]) != _plain(after["signal"]):
        yield _turned("earned when", wording.told(before["signal"]), wording.told(after["signal"]))
    if before["points"] != after["points"]:
        yield _turned("points", wording.signed(before["points"]), wording.signed(after["points"]))
    for what, words in _PARTS.items():
        one, other = words(before), words(after)
        if one != other:
            yield _turned(what, one, other)


def _capped(rule: Mapping[str, Any]) -> str:
    return "without a limit" if rule.get("cap") is None else f"{wording.number(rule['cap'])} points"


_PARTS = {
    "fades": lambda rule: wording.fading(rule.get("decay")),
    "repeated": lambda rule: wording.repeating(rule.get("repeat")) or "every one counts",
    "at most": _capped,
    "group": lambda rule: f"“{rule['group']}”" if rule.get("group") else "none",
    "machines": lambda rule: "count, too" if rule.get("human_only") is False else "do not count",
}


def _settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[Change]:
    for what, words in _SETTINGS.items():
        one, other = words(before), words(after)
        if one != other:
            yield Change(SETTING, what, (_turned("", one, other),))
    one_caps = {group["name"]: _capped(group) for group in before["groups"]}
    other_caps = {group["name"]: _capped(group) for group in after["groups"]}
    yield from _named("Group", one_caps, other_caps)
    one_parts = {name: f"{wording.number(weight)} times" for name, weight in before["parts"].items()}
    other_parts = {name: f"{wording.number(weight)} times" for name, weight in after["parts"].items()}
    yield from _named("Part", one_parts, other_parts)


_SETTINGS = {
    "Title": lambda written: written["title"] or "none",
    "Threshold": lambda written: f"{wording.number(written['mql_threshold'])} points",
    "Falls below": lambda written: f"{wording.number(100 * written['hysteresis'])} % under the threshold",
    "Rests after a turn": lambda written: wording.span(written["rearm_after"]) if written["rearm_after"] else "no time",
    "All in all at most": _capped,
    "When it becomes active": lambda written: _ON_ACTIVATION[written["on_activation"]],
}


def _named(what: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterable[Change]:
    for name in dict.fromkeys((*before, *after)):
        if name not in after:
            yield Change(SETTING, f"{what} “{name}”", ("is gone",))
        elif name not in before:
            yield Change(SETTING, f"{what} “{name}”", (f"is new: {after[name]}",))
        elif before[name] != after[name]:
            yield Change(SETTING, f"{what} “{name}”", (_turned("", before[name], after[name]),))


def described(rule: Rule) -> str:
    """A whole rule in one sentence."""
    return "; ".join((f"{wording.signed(rule['points'])} when {wording.told(rule['signal'])}", *wording.bounds(rule)))


def _turned(what: str, one: str, other: str) -> str:
    return f"{what}: {one} → {other}" if what else f"{one} → {other}"


def _plain(value: Any) -> str:
    """Numbers alike are alike, whole or not, and the order of keys says nothing."""
    return json.dumps(_float(value), sort_keys=True)


def _float(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _float(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_float(part) for part in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
