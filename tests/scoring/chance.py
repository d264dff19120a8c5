"""Rulesets and lives by chance, for Hypothesis, in the words of the oracle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from scoring.rulesets import versions
from tests.scoring import oracle
from tests.scoring.oracle import Happened

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
TYPES = ("visited", "email_opened")
GROUPS = ("email", "web")
PLANS = ("free", "pro")

hours = st.one_of(st.sampled_from((1, 24, 24 * 7, 24 * 30)), st.integers(1, 24 * 90))
points = st.integers(-10_000, 10_000).map(lambda cents: cents / 100)
caps = st.one_of(st.none(), st.integers(0, 15_000).map(lambda cents: cents / 100))
groups = st.sampled_from(("", *GROUPS))
decays = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"type": st.sampled_from(["half_life", "linear", "step"]), "hours": hours}),
)
of_events = st.fixed_dictionaries(
    {
        "type": st.sampled_from(TYPES),
        "least": st.one_of(st.none(), st.integers(0, 5)),
        "points": points,
        "decay": decays,
        "cap": caps,
        "within": st.one_of(st.none(), hours),
        "repeat": st.one_of(st.none(), st.just("once"), hours),
        "human_only": st.booleans(),
        "group": groups,
    }
)
of_conditions = st.one_of(
    st.fixed_dictionaries({"plan": st.sampled_from(PLANS)}),
    st.fixed_dictionaries({"often": st.tuples(st.sampled_from(TYPES), st.integers(1, 4), hours)}),
).flatmap(
    lambda what: st.fixed_dictionaries(
        {"points": points, "cap": caps, "group": groups, **{key: st.just(value) for key, value in what.items()}}
    )
)
rulesets = st.fixed_dictionaries(
    {
        "rules": st.lists(st.one_of(of_events, of_events, of_conditions), max_size=5),
        "groups": st.fixed_dictionaries({group: st.integers(1, 150).map(float) for group in GROUPS}),
        "cap": st.one_of(st.none(), st.integers(1, 200).map(float)),
        "parts": st.just({}),
    }
)
weights = st.integers(-300, 300).filter(bool).map(lambda cents: cents / 100)
combined = st.tuples(rulesets, st.one_of(st.none(), weights), st.one_of(st.none(), weights))
histories = st.lists(
    st.builds(
        lambda kind, seconds, size, machine, held: Happened(
            kind, NOW - timedelta(seconds=seconds), size, machine, held == 0
        ),
        st.sampled_from([*TYPES, "unscored"]),
        # mostly whole hours of the same days, so that they stand on the edges of windows, steps and periods, together
        st.one_of(
            st.integers(-86_400, 86_400 * 200),
            st.integers(-24, 24 * 9).map(lambda hour: hour * 3600),
            st.integers(-1, 40).map(lambda day: day * 86_400),
        ),
        st.integers(0, 6),
        st.booleans(),
        st.integers(0, 9),
    ),
    max_size=25,
)
lives = st.tuples(histories, st.fixed_dictionaries({}, optional={"plan": st.sampled_from(PLANS)}))


def activate(
    lead: tuple[dict[str, Any], float | None, float | None],
    others: tuple[dict[str, Any], dict[str, Any]],
    *,
    now: datetime,
) -> dict[str, Any]:
    """The rules of `fit`, `engagement` and `lead` hold from now on; the last may be combined of the others. Returns the
    last in the words of the oracle."""
    ruleset, *given = lead
    parts = {
        name: (weight, other)
        for name, weight, other in zip(("fit", "engagement"), given, others, strict=True)
        if weight is not None
    }
    whole = {**ruleset, "parts": parts}
    for name, each in (("fit", others[0]), ("engagement", others[1]), ("lead", whole)):
        versions.activate(name=name, now=now, **oracle.ruleset_as_written(each))
    return whole
