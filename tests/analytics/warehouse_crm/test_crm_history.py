"""1,500 leads with their touches, stages and deals: brought in over the API, and what the marts say of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta

import pytest

from tests.analytics.warehouse_crm import by_hand
from tests.analytics.warehouse_crm.by_hand import monday, percentile

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("brought"),
    pytest.mark.timeout(600),
    pytest.mark.warehouse,
]


def test_everything_is_taken_once_and_a_second_time_changes_nothing(brought, ask):
    deals = by_hand.rows("opportunities.csv")
    events = 16_340 + 1_500 + len(deals) + sum({"closed_won": 2, "closed_lost": 1}.get(row["close_outcome"], 0)
                                               for row in deals)  # fmt: skip
    assert brought[0].splitlines() == [
        "contacts: {'state': 'done', 'created': 1500, 'updated': 0, 'unchanged': 0, 'refused': 0}",
        f"events: {{'accepted': {events}, 'duplicates': 0, 'rejected': 0}}",
    ]
    assert brought[1].splitlines() == [
        "contacts: {'state': 'done', 'created': 0, 'updated': 0, 'unchanged': 1500, 'refused': 0}",
        f"events: {{'accepted': 0, 'duplicates': {events}, 'rejected': 0}}",
    ]
    assert ask("SELECT count(*) FROM contacts") == [(1500,)]
    assert ask("SELECT count(*) FROM contact_events WHERE type = 'touch_recorded'") == [(16_340,)]
    assert ask("SELECT count(*) FROM pending_events") == [(0,)]


def test_conversions_and_their_revenue_are_those_of_the_files(ask):
    won = list(by_hand.won())
    assert len(won) == 296 and all(lead.amount for lead in won)
    assert ask("SELECT kind, currency, count(*), sum(amount) FROM marts.conversions GROUP BY 1, 2 ORDER BY 1") == [
        ("customer", "none", 296, 0),
        ("revenue", "USD", 296, sum(lead.amount for lead in won)),
    ]
    days = Counter((lead.won, lead.amount) for lead in won)
    assert Counter(ask("SELECT converted_at::date, amount::int FROM marts.conversions WHERE kind = 'revenue'")) == days
    by_day = Counter()
    for lead in won:
        by_day[lead.won] += lead.amount
    assert dict(ask("SELECT day, amount::int FROM marts.revenue")) == by_day


def test_time_to_conversion_is_that_of_the_files(ask):
    shares = (0.1, 0.25, 0.5, 0.75, 0.9)
    known = [(lead.won - lead.known).days for lead in by_hand.won()]
    first = [(lead.won - lead.path()[0][0]).days for lead in by_hand.won() if lead.path()]
    for since, days in (("known", known), ("first_touch", first)):
        (told,) = ask(
            "SELECT conversions, p10_days, p25_days, median_days, p75_days, p90_days, mean_days"
            " FROM marts.time_to_conversion WHERE kind = 'revenue' AND since = %s",
            since,
        )
        assert told[0] == len(days)
        assert [float(each) for each in told[1:-1]] == pytest.approx([percentile(days, share) for share in shares])
        assert float(told[-1]) == pytest.approx(sum(days) / len(days), abs=0.005)


@pytest.mark.parametrize("model", by_hand.MODELS)
def test_attribution_by_touch_type_is_that_of_the_files(ask, model):
    told = {
        touch_type: (float(conversions), float(amount))
        for touch_type, conversions, amount in ask(
            "SELECT touch_type, sum(conversions), sum(amount) FROM marts.attribution_by_touch"
            " WHERE model = %s AND kind = 'revenue' AND currency = 'USD' GROUP BY touch_type",
            model,
        )
    }
    expected = by_hand.by_touch_type(model)
    assert told.keys() == expected.keys() and len(told) >= 5
    for touch_type, (conversions, amount) in expected.items():
        assert told[touch_type][0] == pytest.approx(conversions, abs=1e-6), touch_type
        assert told[touch_type][1] == pytest.approx(amount, abs=0.01), touch_type


def test_the_models_disagree_about_the_touches_and_agree_about_the_sum(ask):
    sums = ask("SELECT model, sum(weight), sum(amount) FROM marts.attribution WHERE kind = 'revenue' GROUP BY model")
    assert {(weight, amount) for _, weight, amount in sums} == {(296, sum(lead.amount for lead in by_hand.won()))}
    assert len(sums) == 5
    emails = ask(
        "SELECT count(DISTINCT round(amount)) FROM (SELECT sum(amount) AS amount FROM marts.attribution"
        " WHERE kind = 'revenue' AND touch_type = 'email' GROUP BY model) AS told"
    )
    assert emails == [(5,)]


def test_cohorts_by_week_are_those_of_the_files(ask):
    known, active, converted = Counter(), defaultdict(set), defaultdict(set)
    for name, lead in by_hand.leads().items():
        cohort = monday(lead.known)
        known[cohort] += 1
        for day in lead.deeds:
            active[cohort, (monday(day) - cohort).days // 7].add(name)
        if lead.won:
            converted[cohort, (monday(lead.won) - cohort).days // 7].add(name)
    told = ask("SELECT cohort, weeks_later, contacts, active, converted FROM marts.cohorts_by_week ORDER BY 1, 2")
    assert {cohort for cohort, *_ in told} == set(known) and len(told) > 100
    for cohort, later, contacts, acted, so_far in told:
        assert contacts == known[cohort]
        assert acted == len(active.get((cohort, later), ())), (cohort, later)
        assert so_far == sum(len(converted.get((cohort, week), ())) for week in range(later + 1)), (cohort, later)


def test_the_cohort_of_the_month_brings_in_all_of_the_revenue(ask):
    months = ask(
        "SELECT cohort::text, months_later, buyers, amount, amount_so_far, currency FROM marts.cohort_revenue"
        " ORDER BY months_later"
    )
    by_month = Counter()
    for lead in by_hand.won():
        by_month[lead.won.month - 1] += lead.amount
    assert [(cohort, later, int(amount)) for cohort, later, _, amount, *_ in months] == [
        ("2024-01-01", later, by_month[later]) for later in sorted(by_month)
    ]
    assert sum(buyers for _, _, buyers, *_ in months) == 296
    assert int(months[-1][4]) == sum(by_month.values())
    (size,) = ask("SELECT contacts, converted FROM marts.cohorts WHERE months_later = 3")
    assert size == (1500, 296)


def test_time_to_each_stage_is_that_of_the_files(ask):
    leads = by_hand.leads().values()
    reached = {
        "lead": [0 for _ in leads],
        "opportunity": [(lead.opportunity - lead.known).days for lead in leads if lead.opportunity],
        "customer": [(lead.won - lead.known).days for lead in leads if lead.won],
    }
    told = ask(
        "SELECT stage, contacts, reached, p25_days, median_days, p90_days FROM marts.time_to_stage"
        " WHERE entry_workflow IS NULL"
    )
    assert {stage for stage, *_ in told} == reached.keys()
    for stage, contacts, came, *days in told:
        assert (contacts, came) == (1500, len(reached[stage]))
        expected = [percentile(reached[stage], share) for share in (0.25, 0.5, 0.9)]
        assert [float(each) for each in days] == pytest.approx(expected, abs=0.01)
    spread = ask(
        "SELECT from_days, below_days, contacts FROM marts.time_to_stage_spread"
        " WHERE stage = 'customer' AND entry_workflow IS NULL"
    )
    assert sum(contacts for *_, contacts in spread) == 296
    for low, below, contacts in spread:
        limit = timedelta.max.days if below is None else int(below)
        assert contacts == sum(int(low) <= days < limit for days in reached["customer"])
