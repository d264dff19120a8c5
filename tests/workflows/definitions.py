"""Definitions made by chance: sound ones of every shape, and damage to them."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

words = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=("Cs",)), min_size=1, max_size=30
)
keys = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)
durations = st.sampled_from(["PT1H", "P3D", "P1W", "PT90M", "P1DT12H"])
scalars = st.one_of(words, st.integers(-(2**53), 2**53), st.booleans(), st.floats(-1e9, 1e9))
comparisons = st.builds(
    lambda name, op, value: {"field": f"attributes.{name}", "op": op, "value": value},
    st.from_regex(r"[a-z]{1,8}", fullmatch=True),
    st.sampled_from(["eq", "ne"]),
    scalars,
)
conditions = st.recursive(
    st.one_of(
        comparisons,
        words.map(lambda tag: {"has_tag": tag}),
        st.builds(lambda event, within: {"event": event, "within": within}, words, durations),
    ),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=5,
)


@st.composite
def _steps(draw: Any) -> dict[str, Any]:
    """A graph without loops: ways lead to later steps only, each of which some earlier one leads to."""
    names = draw(st.lists(keys, min_size=1, max_size=12, unique=True))
    steps: dict[str, Any] = {}
    for place, name in enumerate(names):
        target = st.sampled_from([None, *names[place + 1 :]])
        kind = draw(st.sampled_from(["add_tag", "remove_tag", "wait", "branch", "exit"]))
        ports = ["next"]
        config: dict[str, Any] = {}
        if kind in ("add_tag", "remove_tag"):
            config = {"tag": draw(words)}
        elif kind == "wait":
            config = {"mode": "duration", "for": draw(durations)}
        elif kind == "branch":
            arms = draw(st.lists(keys.filter(lambda key: key != "else"), min_size=1, max_size=4, unique=True))
            config = {"arms": [{"key": arm, "if": draw(conditions)} for arm in arms]}
            ports = [*arms, "else"]
        elif kind == "exit":
            config, ports = {"reason": draw(st.from_regex(r"[a-z0-9_]{1,20}", fullmatch=True))}, []
        step: dict[str, Any] = {"type": kind, "config": config, "next": {port: draw(target) for port in ports}}
        if draw(st.booleans()):
            step["name"] = draw(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=60))
        if ports and draw(st.booleans()):
            step["skip_if"] = draw(conditions)
        steps[name] = step
    return steps


@st.composite
def definitions(draw: Any) -> dict[str, Any]:
    """A definition without errors; steps may be unreachable, which is a warning."""
    steps = draw(_steps())
    made: dict[str, Any] = {
        "schema": 1,
        "name": draw(words),
        "slug": "made-by-chance",
        "entry": {"trigger": {"type": "event", "event": draw(words)}},
        "start": next(iter(steps)),
        "steps": steps,
    }
    if draw(st.booleans()):
        made["entry"]["audience"] = draw(conditions)
    if draw(st.booleans()):
        made["entry"]["re_entry"] = {"policy": "after_cooldown", "cooldown": draw(durations)}
    if draw(st.booleans()):
        made["settings"] = {
            "priority": draw(st.integers(1, 10)),
            "holdout_percent": draw(st.floats(0, 100)),
            "quiet_hours": {"from": "22:00", "to": "07:30", "policy": "skip"},
        }
    if draw(st.booleans()):
        made["exit"] = {"goal": [{"event": draw(words), "where": draw(comparisons)}], "disqualify": []}
    return made


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside a document."""
    found = [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        found += places(part, (*path, key))
    return found


JUNK = [None, True, -1, 1e300, "", "nowhere", "\ud83d\ude00" * 5, [], {}, [[]], {"a": {"b": [1]}}, ["x"] * 30]


@st.composite
def damaged(draw: Any) -> Any:
    """A definition in which up to three places hold something else, are gone, or have a name more."""
    document = draw(definitions())
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(document)))
        junk = copy.deepcopy(draw(st.sampled_from(JUNK)))  # a later damage may fall into it, or into itself
        if not path:
            return junk
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        deed = draw(st.sampled_from(["replace", "remove", "add"]))
        if deed == "remove":
            del holder[path[-1]]
        elif deed == "add" and isinstance(holder, dict):
            holder[draw(words)] = junk
        else:
            holder[path[-1]] = junk
    return document
