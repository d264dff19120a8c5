"""Back-tests against brute force: every contact's score worked out the slow way at every instant at which anything
happens, and counted by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.models import Contact
from tests.scoring import oracle
from tests.scoring.backtests.conftest import rows
from tests.scoring.conftest import write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
SINCE = NOW - timedelta(days=20)
TYPES = ("visited", "asked", "bought")

ruleses = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(TYPES),
            "least": st.one_of(st.none(), st.integers(0, 5)),
            "points": st.integers(1, 400).map(lambda tenths: tenths / 10),
            "decay": st.one_of(
                st.just({}),
                st.fixed_dictionaries(
                    {"type": st.sampled_from(["half_life", "linear", "step"]), "hours": st.integers(1, 24 * 30)}
                ),
            ),
            "cap": st.one_of(st.none(), st.floats(1, 150)),
        }
    ),
    min_size=1,
    max_size=4,
)
histories = st.lists(
    st.builds(
        lambda kind, minutes, size: Happened(kind, NOW - timedelta(minutes=minutes), size),
        st.sampled_from([*TYPES, "unscored"]),
        st.integers(-60, 60 * 24 * 30),
        st.integers(0, 6),
    ),
    max_size=12,
)


@dataclass(frozen=True)
class Expected:
    crossed_at: datetime | None
    before: datetime | None
    converted_at: datetime | None
    best: float
    did: bool


def expected(tried: list[dict], active: list[dict], history: list[Happened], threshold: float) -> Expected:
    inside = sorted(event.at for event in history if SINCE <= event.at <= NOW)
    instants = [SINCE, *inside]
    converted = min(
        (event.at for event in history if event.type == "bought" and SINCE <= event.at <= NOW), default=None
    )

    def first(rules: list[dict], level: float) -> datetime | None:
        return next((at for at in instants if oracle.score(rules, history, at) >= level), None)

    before = [oracle.score(tried, history, at) for at in instants if converted is None or at < converted]
    return Expected(first(tried, threshold), first(active, 50), converted, max(before, default=0.0), bool(inside))


def in_time(at: datetime | None, each: Expected) -> bool:
    return at is not None and (each.converted_at is None or at < each.converted_at)


def guessing(judged: list[Expected], crossed: list[Expected]) -> float | None:
    """How often somebody would be right who, when one crosses, picks anybody else who has not converted yet."""
    shares = []
    for each in crossed:
        left = [other for other in judged if other.converted_at is None or other.converted_at > each.crossed_at]
        shares.append(sum(other.converted_at is not None for other in left) / len(left))
    return sum(shares) / len(shares) if shares else None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tried_rules=ruleses,
    active_rules=ruleses,
    people=st.lists(histories, min_size=1, max_size=6),
    threshold=st.integers(5, 80),
    page=st.integers(1, 4),
)
def test_a_back_test_equals_brute_force(
    person, drafted, tried, activated, tried_rules, active_rules, people, threshold, page
):
    Contact.objects.update(erased_at=NOW)  # the people of other examples
    activated(*(oracle.as_written(rule, n) for n, rule in enumerate(active_rules)), mql_threshold=50)
    draft = drafted(*(oracle.as_written(rule, n) for n, rule in enumerate(tried_rules)), mql_threshold=threshold)
    wanted = {}
    for history in people:
        contact_id = person()
        write_history(contact_id, history)
        wanted[contact_id] = expected(tried_rules, active_rules, history, threshold)
    backtest = tried(draft, since=SINCE, limit=page)
    found = rows(backtest)
    for contact_id, should in wanted.items():
        row = found.get(contact_id)
        if row is None:
            assert not should.did or (should.best <= 0 and not should.before and not should.converted_at)
            continue
        assert should.did
        assert (row.crossed_at, row.crossed_at_before, row.converted_at) == (
            should.crossed_at,
            should.before,
            should.converted_at,
        )
        assert row.best == pytest.approx(should.best, abs=1e-6)
    judged = [should for should in wanted.values() if should.did]
    crossed = [each for each in judged if in_time(each.crossed_at, each)]
    before = [each for each in judged if in_time(each.before, each)]
    hits = [each for each in crossed if each.converted_at]
    converted = [each for each in judged if each.converted_at]
    assert (backtest.contacts_done, backtest.contacts_looked_at) == (len(wanted), len(judged))
    assert backtest.result["both"] == len([each for each in crossed if each in before])
    assert backtest.result["only_active"] == len([each for each in before if each not in crossed])
    told = backtest.result["tried"]
    assert (told["crossed"], told["foretold"]) == (len(crossed), len(hits))
    assert told["recall"]["of"] == len(converted)
    assert told["guessing"] == pytest.approx(guessing(judged, crossed))
    for mark in backtest.result["sweep"]:
        assert mark["crossed"] == sum(each.best >= mark["threshold"] for each in judged)
    (own,) = [mark for mark in backtest.result["sweep"] if mark["threshold"] == threshold]
    assert (own["crossed"], own["foretold"]) == (told["crossed"], told["foretold"])
