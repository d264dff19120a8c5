"""The funnel: who is where, who went on, and how long they stayed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from statistics import quantiles

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from contacts import patience
from scoring.lifecycle import funnel, stages
from scoring.lifecycle.funnel import StageFigures

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def walk(contact_id: int, *steps: tuple[str, float], source: str = "api") -> None:
    """Stages, each with the day on which it was come into."""
    for stage, day in steps:
        with transaction.atomic():
            stages.move(
                contact_ids=[contact_id], to_stage=stage, reason="", source=source, now=START + timedelta(days=day)
            )


def read(since: float = 0, until: float = 30, way: str = "") -> dict[str, StageFigures]:
    found = funnel.read(since=START + timedelta(days=since), until=START + timedelta(days=until), way=way)
    assert found.complete
    return {figures.stage: figures for figures in found.stages}


def test_a_stage_tells_who_is_in_it_who_came_and_who_went_on_to_a_farther_one(person):
    ahead, jumped, stayed, back, lost = (person() for _ in range(5))
    walk(ahead, ("lead", 1), ("mql", 2), ("sql", 3))
    walk(jumped, ("lead", 1), ("opportunity", 4))
    walk(stayed, ("lead", 1))
    walk(back, ("mql", 1), ("lead", 2))
    walk(lost, ("lead", 1), ("churned", 2))
    found = read()
    lead = found["lead"]
    assert (lead.now, lead.came, lead.went_on, lead.conversion) == (2, 5, 2, 0.4)
    assert (found["mql"].came, found["mql"].went_on) == (2, 1)
    assert (found["churned"].now, found["churned"].came, found["churned"].conversion) == (1, 1, None)
    assert list(found) == list(stages.STAGES)
    assert found["subscriber"].conversion is None


def test_whoever_comes_twice_is_one_person_and_two_visits(person):
    contact_id = person()
    walk(contact_id, ("mql", 1), ("lead", 2), ("mql", 5), ("sql", 9))
    mql = read()["mql"]
    assert (mql.came, mql.went_on, mql.ended, mql.median) == (1, 1, 2, timedelta(days=2.5))


def test_a_stay_is_measured_when_it_is_over(person):
    days = [1, 2, 3, 4, 10]
    for stay in days:
        walk(person(), ("mql", 1), ("sql", 1 + stay))
    walk(person(), ("mql", 1))
    mql = read()["mql"]
    expected = quantiles(days, n=10, method="inclusive")
    assert mql.ended == 5
    assert mql.median == timedelta(days=3)
    assert mql.p90 is not None and abs(mql.p90 - timedelta(days=expected[8])) < timedelta(seconds=1)


def test_only_those_count_who_came_within_the_period_and_what_they_did_since_counts_whenever_it_was(person):
    early, first, last, late = (person() for _ in range(4))
    for contact_id, day in ((early, 9.99), (first, 10), (last, 19.99), (late, 20)):
        walk(contact_id, ("mql", day))
    walk(first, ("sql", 300))
    mql = read(10, 20)["mql"]
    assert (mql.now, mql.came, mql.went_on) == (3, 2, 1)


def test_the_way_in_which_they_came_narrows_and_what_scores_did_before_there_were_rules_is_theirs(person):
    for source in ("rule:score-reaches-mql", "score", "workflow:rules", "admin", "api", "merge"):
        walk(person(), ("mql", 1), source=source)
    assert {way: read(way=way)["mql"].came for way in ("", "rule", "workflow", "admin", "import")} == {
        "": 6,
        "rule": 2,
        "workflow": 1,
        "admin": 1,
        "import": 0,
    }


def test_it_costs_the_same_number_of_statements_whoever_there_is(person):
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            read()
        return len(queries)

    few = statements()
    for _ in range(10):
        walk(person(), ("lead", 1), ("mql", 2))
    assert statements() == few


def test_where_everybody_takes_too_long_a_part_of_them_tells(person, monkeypatch):
    for _ in range(60):
        walk(person(), ("mql", 1), ("sql", 3))
    monkeypatch.setattr(funnel, "ONE_OF", 2)
    exact, asked = funnel.row_within, []

    def impatient(milliseconds, statement, params):
        asked.append(statement)
        return (
            None
            if asked.count(funnel._VISITS) == 1 and statement == funnel._VISITS
            else exact(milliseconds, statement, params)
        )

    monkeypatch.setattr(funnel, "row_within", impatient)
    found = funnel.read(since=START, until=START + 30 * DAY)
    assert found.complete and found.estimated
    mql = {figures.stage: figures for figures in found.stages}["mql"]
    assert 20 <= mql.came <= 100 and mql.came % 2 == 0
    assert (mql.conversion, mql.median) == (1.0, 2 * DAY)


def test_what_takes_too_long_is_given_up_and_said_so(person, monkeypatch):
    walk(person(), ("mql", 1))
    monkeypatch.setattr(funnel, "_VISITS", f"SELECT pg_sleep(5) FROM ({funnel._VISITS}) AS slow")
    monkeypatch.setattr(funnel, "PATIENCE_MS", 50)
    with transaction.atomic():
        found = funnel.read(since=START, until=START + DAY)
        assert patience.row_within(1000, "SELECT 1", []) == (1,)  # the transaction goes on
    assert not found.complete
