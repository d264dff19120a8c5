"""Journeys and lives made by chance, from a seed: the same seed makes the same ones, everywhere.

Few names, so that they meet. What deeds set and what steps set is told apart where the order within one instant would
decide: nobody promises whether a goal reached at the very moment of a step comes before it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

COLOURS = ("red", "green", "blue")  # set by deeds alone
SHADES = ("dark", "light")  # set by steps alone
TAGS = ("one", "two")
LISTS = ("random-one", "random-two")
AWAITED = ("pinged", "ponged")  # recorded by deeds alone
EMITTED = "echoed"  # recorded by steps alone
GOAL = "bought"
KINDS = (
    "branch",
    "wait",
    "wait_for_event",
    "wait_for_condition",
    "add_tag",
    "remove_tag",
    "add_to_list",
    "remove_from_list",
    "update_contact",
    "experiment",
    "goal",
    "exit",
    "emit_event",
)
WEIGHTS = (5, 5, 4, 4, 2, 1, 1, 1, 2, 2, 1, 1, 2)
MOST_DEEDS = 30  # each has a second of its own, and all durations are whole minutes: no two instants meet


@dataclass(frozen=True)
class Deed:
    """Something that happens to a person: `kind` is track, colour, tag or untag; `at` seconds after the beginning."""

    at: int
    person: int
    kind: str
    value: str
    delivered: int = 1  # times


def definition(dice: random.Random, *, slug: str, trigger: str, minutes: bool = True) -> dict[str, Any]:
    """A sound definition of at most nine steps. With `minutes` false its waits are a few seconds long."""
    keys = [f"s{number}" for number in range(dice.randint(2, 9))]
    kinds = [_kind(dice, first=number == 0) for number in range(len(keys))]
    steps: dict[str, Any] = {}
    for number, key in enumerate(keys):
        later = [*keys[number + 1 :], None]
        config, ports = _config(dice, kinds[number], slug, minutes)
        # the next one more often than chance would have it: long ways are worth more
        onward = {port: dice.choice([later[0], later[0], dice.choice(later)]) for port in ports}
        steps[key] = {"type": kinds[number], "config": config, "next": onward}
        if ports and dice.random() < 0.2:
            steps[key]["skip_if"] = condition(dice)
    return {
        "schema": 1,
        "name": slug,
        "slug": slug,
        "entry": {"trigger": {"type": "event", "event": trigger}, **_entry(dice, minutes)},
        "settings": _settings(dice, minutes),
        "exit": {
            "goal": [{"event": GOAL}] if dice.random() < 0.5 else [],
            "disqualify": [{"condition": _colour(dice)}] if dice.random() < 0.3 else [],
        },
        "start": keys[0],
        "steps": {key: steps[key] for key in sorted(_reached(steps, keys[0]))},
    }


def life(dice: random.Random, people: int, trigger: str) -> Iterator[Deed]:
    """What happens to them, in order of time."""
    minute = 0
    for number in range(dice.randint(people, MOST_DEEDS)):
        minute += dice.choice([0, 1, 5, 20, 45])
        kind, value = dice.choice(
            [
                *[("track", trigger)] * 4,
                *(("track", name) for name in (*AWAITED, *AWAITED, GOAL, "seen")),
                *(("colour", name) for name in COLOURS),
                *(("tag", name) for name in TAGS),
                ("untag", TAGS[0]),
            ]
        )
        yield Deed(60 * minute + number, dice.randrange(people), kind, value, dice.choice([1, 1, 1, 2, 3]))


def condition(dice: random.Random, depth: int = 0) -> dict[str, Any]:
    match dice.randrange(8 if depth < 2 else 5):
        case 0:
            return _colour(dice)
        case 1:
            return {"field": "shade", "op": dice.choice(["eq", "ne"]), "value": dice.choice(SHADES)}
        case 2:
            return {"has_tag": dice.choice(TAGS)}
        case 3:
            return {"in_list": dice.choice(LISTS)}
        case 4:
            return {"event": dice.choice([*AWAITED, EMITTED]), "op": "gte", "count": dice.randint(1, 3)}
        case 5:
            return {"not": condition(dice, depth + 1)}
        case number:
            parts = [condition(dice, depth + 1) for _ in range(dice.randint(1, 2))]
            return {"all" if number == 6 else "any": parts}


def _colour(dice: random.Random) -> dict[str, Any]:
    return {"field": "colour", "op": dice.choice(["eq", "eq", "ne"]), "value": dice.choice(COLOURS)}


def _kind(dice: random.Random, *, first: bool) -> str:
    kind = dice.choices(KINDS, WEIGHTS)[0]
    return "branch" if first and kind == "exit" else kind


def _config(dice: random.Random, kind: str, slug: str, minutes: bool) -> tuple[dict[str, Any], tuple[str, ...]]:
    waits = ("happened", "timed_out")
    match kind:
        case "branch":
            arms = ["a", "b"][: dice.randint(1, 2)]
            return {"arms": [{"key": arm, "if": condition(dice)} for arm in arms]}, (*arms, "else")
        case "wait":
            return {"mode": "duration", "for": _duration(dice, minutes)}, ("next",)
        case "wait_for_event":
            return {"event": dice.choice(AWAITED), "timeout": _duration(dice, minutes)}, waits
        case "wait_for_condition":
            return {"if": condition(dice), "timeout": _duration(dice, minutes)}, waits
        case "add_tag" | "remove_tag":
            return {"tag": dice.choice(TAGS)}, ("next",)
        case "add_to_list" | "remove_from_list":
            return {"list": dice.choice(LISTS)}, ("next",)
        case "update_contact":
            return {"set": {"shade": dice.choice(SHADES)}}, ("next",)
        case "experiment":
            variants = [{"key": key, "weight": dice.randint(1, 3)} for key in ("x", "y", "z")]
            return {"experiment": f"{slug}-{dice.randint(1, 2)}", "variants": variants}, ("x", "y", "z")
        case "goal":
            return {"name": "milestone"}, ("next",)
        case "emit_event":
            return {"type": EMITTED}, ("next",)
        case _:
            return {"reason": "chance"}, ()


def _duration(dice: random.Random, minutes: bool) -> str:
    return f"PT{dice.choice([1, 5, 30, 45, 120])}M" if minutes else f"PT{dice.choice([1, 1, 2])}S"


def _entry(dice: random.Random, minutes: bool) -> dict[str, Any]:
    policy = dice.choice(["never", "after_exit", "after_exit", "after_cooldown"])
    re_entry = {"policy": policy, **({"cooldown": _duration(dice, minutes)} if policy == "after_cooldown" else {})}
    return {"re_entry": re_entry, **({"audience": _colour(dice)} if dice.random() < 0.2 else {})}


def _settings(dice: random.Random, minutes: bool) -> dict[str, Any]:
    settings: dict[str, Any] = {"lane": dice.choice(["urgent", "bulk"]), "snapshot_attributes": dice.random() < 0.3}
    if dice.random() < 0.4:
        settings["concurrency_cap"] = dice.randint(1, 3)
    if minutes and dice.random() < 0.3:
        settings["max_duration"] = f"PT{dice.choice([20, 60, 240])}M"
    return settings


def _reached(steps: dict[str, Any], start: str) -> set[str]:
    found, todo = {start}, [start]
    while todo:
        for target in steps[todo.pop()]["next"].values():
            if target is not None and target not in found:
                found.add(target)
                todo.append(target)
    return found
