"""The marts of revenue where it is delicate: short paths, equal times, currencies, machines, workflows, experiments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command

from analytics.experiments import results
from analytics.models import Experiment
from tests.analytics.committed import committed
from tests.analytics.warehouse_crm import lives

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600), pytest.mark.warehouse]

LATER = lives.WON + timedelta(days=8)


@pytest.fixture(scope="module")
def people(django_db_setup, django_db_blocker, dbt_state) -> Iterator[dict[str, int]]:
    with committed(django_db_blocker, dbt_state):
        lives.watched()
        named = lives.paths()
        lives.buyers()
        lives.entrants()
        lives.experiment(now=LATER)
        call_command("build_warehouse", full_refresh=True)
        yield named


@pytest.fixture
def shares(people, ask):
    def told(name: str, model: str) -> list[tuple[str, float]]:
        return [
            (kind, float(weight))
            for kind, weight in ask(
                "SELECT touch_type, weight FROM marts.attribution WHERE contact_id = %s AND model = %s ORDER BY place",
                people[name],
                model,
            )
        ]

    return told


def test_who_converted_without_a_touch_is_direct(shares, ask, people):
    for model in ("first", "last", "linear", "position", "time_decay"):
        assert shares("none", model) == [("direct", 1.0)]
    assert ask("SELECT first_touch_type, touches FROM marts.conversions WHERE contact_id = %s", people["none"]) == [
        ("direct", 0)
    ]


def test_one_and_two_touches_have_their_weights_in_every_model(shares):
    assert shares("one", "position") == [("call", 1.0)] == shares("one", "first")
    assert shares("two", "position") == [("call", 0.5), ("email", 0.5)]
    assert (shares("two", "first"), shares("two", "last")) == ([("call", 1.0)], [("email", 1.0)])
    third = pytest.approx(1 / 3, abs=1e-8)
    assert shares("two", "time_decay") == [("call", third), ("email", pytest.approx(2 / 3, abs=1e-8))]


def test_longer_paths_are_weighed_by_place_and_by_age(shares):
    assert shares("many", "position") == [("call", 0.4), ("email", 0.1), ("webinar", 0.1), ("fair", 0.4)]
    parts = (("call", 1), ("email", 2), ("webinar", 4), ("fair", 8))
    assert shares("many", "time_decay") == [(kind, pytest.approx(part / 15, abs=1e-8)) for kind, part in parts]


def test_a_touch_counts_for_ninety_days_and_up_to_the_instant_of_the_conversion(shares):
    assert shares("edges", "linear") == [("first", 0.5), ("last", 0.5)]


def test_of_equal_times_what_was_recorded_first_came_first_and_rounding_loses_nothing(shares, ask, people):
    assert (shares("ties", "first"), shares("ties", "last")) == ([("one", 1.0)], [("three", 1.0)])
    amounts = ask(
        "SELECT sum(amount), sum(weight) FROM marts.attribution WHERE contact_id = %s AND model = 'linear'",
        people["ties"],
    )
    assert amounts == [(100, 1)]


@pytest.mark.parametrize(
    ("mart", "which"),
    [
        ("revenue", "true"),
        ("cohort_revenue", "true"),
        ("attribution_by_touch", "model = 'linear'"),
        ("attribution_by_workflow", "model = 'first'"),
        ("conversions", "true"),
    ],
)
def test_amounts_of_different_currencies_are_never_added(people, ask, mart, which):
    assert ask(f"SELECT currency, sum(amount) FROM marts.{mart} WHERE {which} GROUP BY 1 ORDER BY 1") == [
        ("EUR", 30 + 100 * len(people)),
        ("USD", 41),
        ("unknown", 240),
    ]


def test_retention_counts_who_bought_again(people, ask):
    told = ask(
        "SELECT months_later, buyers, bought FROM marts.retention WHERE cohort = '2025-01-01' AND months_later < 4"
        " ORDER BY 1"
    )
    assert told == [(0, 2, 2), (1, 2, 1), (2, 2, 2), (3, 2, 0)]


def test_machines_and_our_own_notes_are_no_activity(people, ask):
    told = ask(
        "SELECT contacts, active, active_share FROM marts.cohorts WHERE cohort = '2025-06-01' ORDER BY months_later"
    )
    assert told[:2] == [(3, 1, Decimal("0.3333")), (3, 0, 0)]


def test_time_to_mql_of_a_workflow_leaves_out_who_had_been_one_before(people, ask):
    told = ask(
        "SELECT contacts, reached, share, median_days, mean_days FROM marts.time_to_stage"
        " WHERE entry_workflow = 'trial' AND stage = 'mql'"
    )
    assert told == [(3, 2, Decimal("0.6667"), Decimal("0.04"), Decimal("0.04"))]
    spread = ask(
        "SELECT from_days, below_days, contacts FROM marts.time_to_stage_spread WHERE entry_workflow = 'trial'"
    )
    assert spread == [(0, 1, 2)]


def test_experiment_results_are_those_of_the_experiments_own_page(people, ask):
    page = results.read(Experiment.objects.get(slug="hello"), now=LATER).standings
    told = ask("SELECT variant, assigned, settled, converted, rate FROM marts.experiment_results ORDER BY variant")
    assert told == sorted((each.variant, each.assigned, each.settled, each.converted, each.rate) for each in page)
    assert all(0 < converted < settled < assigned for _, assigned, settled, converted, _ in told)
