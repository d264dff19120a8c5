"""Drafts as a text editor or a half-done thought leaves them: loops, ways to nowhere, steps that are no steps, settings
that do not read."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

KEYS = ("a", "b", "c", "d", "e", "f", "g")
_anything = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.just([]), st.just({"x": 1}))
_targets = st.one_of(st.sampled_from(KEYS), st.sampled_from(KEYS), st.none(), st.just("nowhere"), _anything)
_configs = st.one_of(
    st.just({}),
    st.builds(lambda keys: {"arms": [{"key": key, "if": {"has_tag": key}} for key in keys]},
              st.lists(st.sampled_from(["yes", "no", "maybe"]), max_size=3)),
    st.builds(lambda weight: {"experiment": "e", "variants": [{"key": "x", "weight": weight}, {"key": "y"}]},
              st.integers(-1, 100)),
    _anything,
)  # fmt: skip
_kinds = st.sampled_from(["wait", "send_email", "branch", "branch", "experiment", "wait_for_event", "exit", "no_such"])
_ports = st.sampled_from(["next", "yes", "no", "maybe", "else", "x", "y", "happened", "timed_out"])
_steps = st.fixed_dictionaries(
    {"type": _kinds, "config": _configs, "next": st.dictionaries(_ports, _targets, max_size=4)},
    optional={"name": st.one_of(st.text(max_size=10), _anything), "skip_if": st.just({"has_tag": "vip"})},
)


@st.composite
def drafts(draw: Any) -> dict[str, Any]:
    steps: dict[str, Any] = {
        key: draw(st.one_of(_steps, _steps, _steps, _steps, _anything)) for key in draw(st.sets(st.sampled_from(KEYS)))
    }
    if draw(st.booleans()):
        steps["not a key"] = draw(_steps)
    return {"name": "Mistaken", "slug": "mistaken", "start": draw(_targets), "steps": steps}
