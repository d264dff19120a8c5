"""The oracle: one person in one journey, as the contract tells it, in plain Python and without any of the product's
code. It knows no batches, lanes, locks or queues; whatever these do, the outcome must be this."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.workflows.random_journeys.making import Deed

Path = list[tuple[str, str, str]]  # (step, outcome, port)


@dataclass
class Stay:
    """One enrolment. `until` is set while it waits; `heard` is how much of the log was there when it began to."""

    entered: int
    snapshot: dict[str, Any]
    step: str
    path: Path = field(default_factory=list)
    heard: int = 0
    until: int | None = None
    finished: int | None = None
    end: str = ""


class Person:
    """`deed` after `deed`, in order of time; then `rest`. `variant_of(experiment)`: what the person was assigned."""

    def __init__(self, definition: Mapping[str, Any], trigger: str, variant_of: Callable[[str], str]) -> None:
        self._live, self._trigger, self._variant_of = definition, trigger, variant_of
        self._take_on(definition)
        self._attributes: dict[str, Any] = {}
        self._tags: set[str] = set()
        self._lists: set[str] = set()
        self._log: list[tuple[str, int]] = []
        self.stays: list[Stay] = []

    def publish(self, definition: Mapping[str, Any]) -> None:
        """Whoever enters from now on goes by this version; who is under way stays on theirs."""
        self._live = definition

    def deed(self, deed: Deed) -> None:
        self._pass_time(deed.at)
        match deed.kind:
            case "track":
                self._log.append((deed.value, deed.at))
            case "colour":
                self._attributes["colour"] = deed.value
            case "tag":
                self._tags.add(deed.value)
            case "untag":
                self._tags.discard(deed.value)
        for stay in self._under_way():
            self._look(stay, deed.at)
        if deed.kind == "track" and deed.value == self._trigger:
            self._enter(deed.at)

    def rest(self) -> None:
        """Let time pass until nothing waits."""
        self._pass_time(None)

    # -- entering and leaving ------------------------------------------------------------------------------------------
    def _enter(self, now: int) -> None:
        entry = self._live["entry"]
        policy = entry["re_entry"]["policy"]
        if "audience" in entry and not self._holds(entry["audience"], self._attributes):
            return
        if self.stays:
            last = self.stays[-1]
            if last.finished is None or policy == "never":
                return
            if policy == "after_cooldown" and last.finished + _seconds(entry["re_entry"]["cooldown"]) > now:
                return
        self._take_on(self._live)
        stay = Stay(now, dict(self._attributes), self._definition["start"])
        self.stays.append(stay)
        if not self._leaves(stay, now):
            self._go(stay, now)

    def _take_on(self, definition: Mapping[str, Any]) -> None:
        self._definition: Mapping[str, Any] = definition
        self._steps: Mapping[str, Any] = definition["steps"]
        self._settings: Mapping[str, Any] = definition["settings"]

    def _leaves(self, stay: Stay, now: int) -> bool:
        rules = self._definition["exit"]
        reached = any(
            rule["event"] == type_ and at >= stay.entered for rule in rules["goal"] for type_, at in self._log
        )
        if reached or any(self._true(rule["condition"], stay) for rule in rules["disqualify"]):
            self._leave(stay, now, "goal_achieved" if reached else "disqualified")
            return True
        return False

    def _leave(self, stay: Stay, now: int, reason: str) -> None:
        stay.path.append((stay.step, "left", ""))
        stay.finished, stay.end, stay.until = now, reason, None

    # -- going on ------------------------------------------------------------------------------------------------------
    def _go(self, stay: Stay, now: int) -> None:
        """From the step where it just arrived, until it waits or ends."""
        while stay.finished is None and stay.until is None:
            if self._over(stay, now):
                self._leave(stay, now, "timed_out")
                return
            step = self._steps[stay.step]
            ports = list(step["next"])
            if "skip_if" in step and self._true(step["skip_if"], stay):
                self._advance(stay, ports[-1], now)
            else:
                self._arrive(stay, step, now)

    def _arrive(self, stay: Stay, step: Mapping[str, Any], now: int) -> None:
        config = step["config"]
        match step["type"]:
            case "branch":
                true = (arm["key"] for arm in config["arms"] if self._true(arm["if"], stay))
                self._advance(stay, next(true, "else"), now)
            case "wait":
                self._wait(stay, config["for"], now)
            case "wait_for_event":
                self._wait(stay, config["timeout"], now)
            case "wait_for_condition" if self._true(config["if"], stay):
                self._advance(stay, "happened", now)
            case "wait_for_condition":
                self._wait(stay, config["timeout"], now)
            case "experiment":
                self._advance(stay, self._variant_of(config["experiment"]), now)
            case "exit":
                self._leave(stay, now, config["reason"])
            case kind:
                self._do(kind, config, now)
                self._advance(stay, "next", now)

    def _do(self, kind: str, config: Mapping[str, Any], now: int) -> None:
        match kind:
            case "add_tag":
                self._tags.add(config["tag"])
            case "remove_tag":
                self._tags.discard(config["tag"])
            case "add_to_list":
                self._lists.add(config["list"])
            case "remove_from_list":
                self._lists.discard(config["list"])
            case "update_contact":
                self._attributes |= config["set"]
            case "emit_event":
                self._log.append((config["type"], now))
            case _:
                assert kind == "goal", kind

    def _advance(self, stay: Stay, port: str, now: int) -> None:
        stay.path.append((stay.step, "advanced", port))
        target = self._steps[stay.step]["next"][port]
        if target is None:
            stay.finished, stay.end = now, "completed"
        else:
            stay.step = target

    # -- waiting -------------------------------------------------------------------------------------------------------
    def _wait(self, stay: Stay, duration: str, now: int) -> None:
        stay.path.append((stay.step, "waiting", ""))
        stay.heard, stay.until = len(self._log), now + _seconds(duration)

    def _look(self, stay: Stay, now: int) -> None:
        """Something happened to the person."""
        if self._leaves(stay, now) or stay.until is None:
            return
        step = self._steps[stay.step]
        if step["type"] == "wait_for_event":
            waited = step["config"]["event"]
            happened = any(type_ == waited for type_, _ in self._log[stay.heard :])
        else:
            happened = step["type"] == "wait_for_condition" and self._true(step["config"]["if"], stay)
        if happened:
            self._resume(stay, "happened", now)

    def _resume(self, stay: Stay, port: str, now: int) -> None:
        stay.until = None
        if self._over(stay, now):
            self._leave(stay, now, "timed_out")
        else:
            self._advance(stay, port, now)
            self._go(stay, now)

    def _pass_time(self, to: int | None) -> None:
        while waiting := [stay for stay in self._under_way() if stay.until is not None]:
            (stay,) = waiting
            wake = min(stay.until or 0, stay.entered + self._longest())
            if to is not None and wake > to:
                return
            self._resume(stay, "next" if self._steps[stay.step]["type"] == "wait" else "timed_out", wake)

    def _over(self, stay: Stay, now: int) -> bool:
        return stay.entered + self._longest() <= now

    def _longest(self) -> int:
        return _seconds(self._settings["max_duration"]) if "max_duration" in self._settings else 10**9

    def _under_way(self) -> list[Stay]:
        return [stay for stay in self.stays if stay.finished is None]

    # -- conditions ----------------------------------------------------------------------------------------------------
    def _true(self, condition: Mapping[str, Any], stay: Stay) -> bool:
        return self._holds(condition, stay.snapshot if self._settings["snapshot_attributes"] else self._attributes)

    def _holds(self, condition: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
        match condition:
            case {"all": parts}:
                return all(self._holds(part, attributes) for part in parts)
            case {"any": parts}:
                return any(self._holds(part, attributes) for part in parts)
            case {"not": part}:
                return not self._holds(part, attributes)
            case {"has_tag": tag}:
                return tag in self._tags
            case {"in_list": slug}:
                return slug in self._lists
            case {"event": type_, "count": count}:
                return sum(name == type_ for name, _ in self._log) >= count
            case {"field": name, "op": "ne", "value": value}:
                return attributes.get(name) != value
            case {"field": name, "op": "eq", "value": value}:
                return attributes.get(name) == value
        raise AssertionError(condition)


def _seconds(duration: str) -> int:
    found = re.fullmatch(r"PT(\d+)([MS])", duration)
    assert found is not None
    return int(found[1]) * (60 if found[2] == "M" else 1)
