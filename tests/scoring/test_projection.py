"""The score against brute force, and what may and may not count."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts import conditions
from contacts.models import ContactTag, Tag
from scoring.projection import explanation, scores
from scoring.rulesets.parsing import parse_rules
from scoring.rulesets.rules import Ruleset
from tests.scoring import oracle
from tests.scoring.conftest import rule, write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def ago(**span) -> datetime:
    return NOW - timedelta(**span)


def score_of(contact_id, at=NOW):
    return scores.of(contact_ids=[contact_id], at=at)[contact_id]


# -- Hypothesis --------------------------------------------------------------------------------------------------------

TYPES = ("visited", "opened", "asked")
decays = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"type": st.sampled_from(["half_life", "linear", "step"]), "hours": st.integers(1, 24 * 90)}),
)
ruleses = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(TYPES),
            "least": st.one_of(st.none(), st.integers(0, 5)),
            "points": st.integers(-10_000, 10_000).map(lambda cents: cents / 100),
            "decay": decays,
            "cap": st.one_of(st.none(), st.floats(0, 150)),
        }
    ),
    max_size=6,
)
histories = st.lists(
    st.builds(
        lambda kind, seconds, size: Happened(kind, NOW - timedelta(seconds=seconds), size),
        st.sampled_from([*TYPES, "unscored"]),
        st.integers(-86_400, 86_400 * 200),
        st.integers(0, 6),
    ),
    max_size=25,
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rules=ruleses, history=histories, other=histories, hours=st.integers(0, 24 * 30))
def test_the_projection_equals_brute_force(person, rules, history, other, hours):
    at = NOW - timedelta(hours=hours)
    people = {person(): history, person(): other, person(): []}
    for contact_id, events in people.items():
        write_history(contact_id, events)
    written = parse_rules([oracle.as_written(one, position) for position, one in enumerate(rules)])
    ruleset = Ruleset(ruleset_id=0, name="lead", version=1, mql_threshold=60, rules=written)
    found = scores.under(ruleset, contact_ids=people, at=at)
    for contact_id, events in people.items():
        assert found[contact_id] == pytest.approx(oracle.score(rules, events, at), abs=1e-6)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, order=st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(person, history, order):
    shuffled = list(history)
    order.shuffle(shuffled)
    first, second = person(), person()
    write_history(first, history)
    write_history(second, shuffled)
    rules = parse_rules([rule(kind, 7.5, decay={"type": "half_life", "period": "P3D"}) for kind in TYPES])
    ruleset = Ruleset(ruleset_id=0, name="lead", version=1, mql_threshold=60, rules=rules)
    found = scores.under(ruleset, contact_ids=[first, second], at=NOW)
    assert found[first] == found[second]


# -- what counts -------------------------------------------------------------------------------------------------------


def test_without_rules_everybody_has_nothing(person):
    contact_id = person()
    assert scores.of(contact_ids=[contact_id], at=NOW) == {contact_id: 0.0}


def test_somebody_who_is_nobody_is_left_out(activated):
    activated(rule("visited", 5))
    assert scores.of(contact_ids=[987_654_321], at=NOW) == {}


def test_an_event_that_consent_holds_back_is_invisible(person, activated):
    activated(rule("visited", 5))
    contact_id = person()
    write_history(contact_id, [Happened("visited", ago(days=1))], processed=False)
    assert score_of(contact_id) == 0.0


def test_opens_and_clicks_of_machines_do_not_count(person, activated):
    activated(rule("email_opened", 3), rule("email_clicked", 5))
    contact_id = person()
    write_history(contact_id, [Happened("email_opened", ago(days=1)), Happened("email_clicked", ago(days=1))])
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contact_events (contact_id, recorded_contact_id, type, occurred_at, recorded_at, properties,"
            " source, processed, key_hash) SELECT contact_id, contact_id, type, occurred_at, recorded_at, "
            "'{\"is_machine\": true}', source, true, 'machine ' || type::text::bytea FROM contact_events "
            "WHERE contact_id = %s",
            [contact_id],
        )
    assert score_of(contact_id) == 8.0


def test_a_score_of_the_past_knows_nothing_of_the_future(person, activated):
    activated(rule("visited", 5))
    contact_id = person()
    write_history(contact_id, [Happened("visited", ago(days=9)), Happened("visited", ago(days=1))])
    assert score_of(contact_id, ago(days=10)) == 0.0
    assert score_of(contact_id, ago(days=5)) == 5.0
    assert score_of(contact_id) == 10.0


def test_a_condition_gives_its_points_once_while_it_is_true(person, activated):
    director = {"field": "job_title", "op": "contains", "value": "director"}
    activated({"name": "director", "signal": director, "points": 20})
    assert score_of(person(attributes={"job_title": "Sales Director"})) == 20.0
    assert score_of(person(attributes={"job_title": "Clerk"})) == 0.0


def test_a_condition_that_counts_events_gives_its_points_once(person, activated):
    often = {"event": "visited", "op": "gte", "count": 2, "within": "P7D"}
    activated({"name": "often", "signal": often, "points": 20})
    contact_id = person()
    write_history(contact_id, [Happened("visited", ago(days=day)) for day in (1, 2, 3, 8)])
    assert score_of(contact_id) == 20.0
    assert score_of(contact_id, ago(days=2, seconds=1)) == 20.0
    assert score_of(contact_id, ago(days=4)) == 0.0


def test_a_tag_can_count_against_somebody(person, activated):
    activated({"name": "student", "signal": {"has_tag": "student"}, "points": -30, "cap": 10})
    contact_id = person()
    ContactTag.objects.create(contact_id=contact_id, tag=Tag.objects.create(name="student"), added_at=NOW)
    assert score_of(contact_id) == -10.0


def test_a_speed_shortens_the_decay(person, activated, settings):
    settings.TIME_SPEED = 1440.0
    activated(rule("visited", 8, decay={"type": "half_life", "period": "P1D"}))
    contact_id = person()
    write_history(contact_id, [Happened("visited", ago(minutes=2))])
    assert score_of(contact_id) == 2.0


def test_an_event_of_a_thousand_half_lives_ago_is_no_error(person, activated):
    activated(rule("visited", 1e-6, decay={"type": "half_life", "period": "PT1S"}))
    contact_id = person()
    write_history(contact_id, [Happened("visited", ago(days=150))])
    assert score_of(contact_id) == 0.0


def test_new_rules_hold_for_everybody_at_the_next_question(person, activated):
    contact_id = person()
    write_history(contact_id, [Happened("visited", ago(days=1)), Happened("asked", ago(days=1))])
    activated(rule("visited", 5))
    assert score_of(contact_id) == 5.0
    activated(rule("asked", 40), rule("visited", 1))
    assert score_of(contact_id) == 41.0


# -- the same compiler everywhere --------------------------------------------------------------------------------------


def test_a_condition_may_ask_for_the_score_and_sees_the_same_number(person, activated):
    activated(rule("visited", 10, decay={"type": "half_life", "period": "P1D"}))
    hot, cold = person(), person()
    write_history(hot, [Happened("visited", ago(hours=hour)) for hour in range(12)])
    write_history(cold, [Happened("visited", ago(days=3))])
    score = score_of(hot)

    def matching(op, value):
        condition = conditions.parse({"field": "score", "op": op, "value": value})
        return conditions.matching_contacts(condition, contact_ids=[hot, cold], now=NOW)

    assert matching("gte", score) == {hot}
    assert matching("gt", score) == set()
    assert matching("lt", 2) == {cold}


def test_the_number_of_statements_does_not_depend_on_the_number_of_contacts(person, activated):
    activated(*(rule(kind, 5) for kind in TYPES))
    people = [person() for _ in range(30)]
    for contact_id in people:
        write_history(contact_id, [Happened("visited", ago(days=1))])
    counts = []
    for some in (people[:1], people):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            scores.of(contact_ids=some, at=NOW)
        counts.append(len(queries))
    assert counts == [2, 2]


def test_the_explanation_adds_up_to_the_score(person, activated):
    activated(
        rule("visited", 10, decay={"type": "half_life", "period": "P1D"}),
        rule("asked", 30, cap=50),
        {"name": "director", "signal": {"field": "title", "op": "eq", "value": "Director"}, "points": -5},
    )
    contact_id = person(attributes={"title": "Director"})
    write_history(
        contact_id,
        [
            Happened("visited", ago(days=1)),
            Happened("visited", ago(days=2)),
            Happened("asked", ago(days=3)),
            Happened("asked", ago(days=4)),
        ],
    )
    told = explanation.explain(contact_id, NOW)
    visited, asked, director = told.rules
    assert told.score == score_of(contact_id) == sum(share.points for share in told.rules) == 52.5
    assert (visited.raw, visited.decayed, visited.points, visited.event_count) == (20.0, 7.5, 7.5, 2)
    assert [(event.raw, event.decayed) for event in visited.events] == [(10.0, 5.0), (10.0, 2.5)]
    assert (asked.raw, asked.points, asked.capped) == (60.0, 50.0, True)
    assert (director.points, director.event_count, director.events) == (-5.0, 0, ())
    assert told.ruleset == "lead v1"


def test_a_long_history_is_explained_by_its_newest_events(person, activated):
    activated(rule("visited", 1))
    contact_id = person()
    write_history(contact_id, [Happened("visited", ago(hours=hour)) for hour in range(80)])
    (share,) = explanation.explain(contact_id, NOW).rules
    assert share.event_count == 80 and len(share.events) == explanation.EVENTS_SHOWN
    assert share.events[0].occurred_at == NOW


def test_nobody_cannot_be_explained(activated):
    activated(rule("visited", 1))
    with pytest.raises(LookupError):
        explanation.explain(987_654_321, NOW)
