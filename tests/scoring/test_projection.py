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
from tests.scoring import chance, oracle
from tests.scoring.conftest import rule, write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def ago(**span) -> datetime:
    return NOW - timedelta(**span)


def score_of(contact_id, at=NOW):
    return scores.of(contact_ids=[contact_id], at=at)[contact_id]


# -- by chance ---------------------------------------------------------------------------------------------------------


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(
    lead=chance.combined,
    others=st.tuples(chance.rulesets, chance.rulesets),
    lives=st.lists(chance.lives, min_size=1, max_size=3),
    hours=st.integers(-24, 24 * 30),
)
def test_the_projection_equals_brute_force_wherever_it_is_asked(person, lead, others, lives, hours):
    """Of any rules and lives, at any instant; each example changes the rules of all that went before."""
    at = NOW - timedelta(hours=hours)
    asked = chance.activate(lead, others, now=NOW)
    people = {}
    for history, attributes in lives:
        contact_id = person(attributes=attributes)
        write_history(contact_id, history)
        people[contact_id] = oracle.whole(asked, history, at, attributes)
    found = scores.of(contact_ids=people, at=at)
    assert found == pytest.approx(people, abs=1e-6)
    assert scores.of(contact_ids=people, at=at, name="fit") == pytest.approx(
        {
            contact_id: oracle.whole(others[0], history, at, attributes)
            for contact_id, (history, attributes) in zip(people, lives, strict=True)
        },
        abs=1e-6,
    )
    for contact_id, score in found.items():
        assert scores.of(contact_ids=[contact_id], at=at) == {contact_id: score}
        equal = conditions.parse({"field": "score", "op": "eq", "value": score})
        assert contact_id in conditions.matching_contacts(equal, contact_ids=list(people), now=at)
        told = explanation.explain(contact_id, at)
        assert told.score == score
        rows = [*told.rules, *told.adjustments]
        assert sum(row.points for row in rows) == pytest.approx(score, abs=1e-6 * (len(rows) + 1))
        for share in told.rules:
            assert sum(event.decayed for event in share.events) == pytest.approx(
                share.decayed if share.events else 0.0, abs=1e-6 * (len(share.events) + 1)
            )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=chance.histories, order=st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(person, history, order):
    shuffled = list(history)
    order.shuffle(shuffled)
    first, second = person(), person()
    write_history(first, history)
    write_history(second, shuffled)
    rules = parse_rules([rule(kind, 7.5, decay={"type": "half_life", "period": "P3D"}) for kind in chance.TYPES])
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


def test_machines_count_where_a_rule_says_so(person, activated):
    activated(rule("email_opened", 3), rule("email_opened", 10, human_only=False))
    contact_id = person()
    write_history(contact_id, [Happened("email_opened", ago(days=1), machine=True), Happened("email_opened", NOW)])
    assert score_of(contact_id) == 23.0


def test_a_window_ends_where_that_of_a_condition_does(person, activated):
    activated({"name": "each", "signal": {"event": "visited", "within": "P7D"}, "points": 1})
    edge, inside = person(), person()
    write_history(edge, [Happened("visited", ago(days=7))])
    write_history(inside, [Happened("visited", ago(days=7) + timedelta(microseconds=1))])
    lately = conditions.parse({"event": "visited", "within": "P7D"})
    assert conditions.matching_contacts(lately, contact_ids=[edge, inside], now=NOW) == {inside}
    assert scores.of(contact_ids=[edge, inside], at=NOW) == {edge: 0.0, inside: 1.0}


def test_the_longest_window_of_all_rules_says_how_far_the_log_is_read(person, activated):
    signals = ({"event": "visited", "within": "P7D"}, {"event": "asked", "within": "P90D"})
    activated(*({"name": signal["event"], "signal": signal, "points": 5} for signal in signals))
    contact_id = person()
    write_history(contact_id, [Happened(kind, ago(days=60)) for kind in ("visited", "asked")])
    assert score_of(contact_id) == 5.0


def test_of_a_rule_that_counts_once_the_newest_event_gives_the_points(person, activated):
    activated(rule("visited", 8, repeat={"policy": "once"}, decay={"type": "half_life", "period": "P1D"}))
    contact_id = person()
    write_history(contact_id, [Happened("visited", ago(days=day)) for day in (3, 1, 2)])
    assert score_of(contact_id) == 4.0
    assert score_of(contact_id, ago(days=2)) == 8.0
    assert score_of(contact_id, ago(days=4)) == 0.0


def test_of_a_rule_that_counts_once_a_day_the_newest_event_of_each_day_gives_points(person, activated):
    daily = {"policy": "once_per", "period": "P1D"}
    activated(rule("visited", 16, repeat=daily, decay={"type": "half_life", "period": "PT12H"}))
    contact_id = person()
    # 4 March at 12:00 and 0:00, 3 March at 12:00 and 0:00; days are those of UTC
    write_history(contact_id, [Happened("visited", ago(hours=hours)) for hours in (12, 0, 36, 24)])
    assert score_of(contact_id) == 16.0 + 4.0
    assert score_of(contact_id, ago(hours=12)) == 16.0 + 8.0
    assert score_of(contact_id, ago(hours=12, microseconds=1)) == pytest.approx(8.0)


def test_a_period_begins_with_its_first_instant(person, activated):
    activated(rule("visited", 1, repeat={"policy": "once_per", "period": "P1D"}))
    midnight = datetime(2026, 3, 4, tzinfo=UTC)
    on_both_sides, on_one = person(), person()
    write_history(
        on_both_sides, [Happened("visited", midnight - timedelta(microseconds=1)), Happened("visited", midnight)]
    )
    write_history(on_one, [Happened("visited", midnight), Happened("visited", NOW)])
    assert scores.of(contact_ids=[on_both_sides, on_one], at=NOW) == {on_both_sides: 2.0, on_one: 1.0}


def test_caps_hold_from_the_inside_outwards(person, activated):
    activated(rule("visited", 30, cap=20, group="web"), rule("asked", 30, group="web"), rule("bought", 100), cap=120,
              groups=[{"name": "web", "cap": 35}])  # fmt: skip
    contact_id = person()
    write_history(contact_id, [Happened("visited", ago(days=9))])
    assert score_of(contact_id) == 20.0
    write_history(contact_id, [Happened("asked", ago(days=8))])
    assert score_of(contact_id) == 35.0
    write_history(contact_id, [Happened("bought", ago(days=7))])
    assert score_of(contact_id) == 120.0


def test_a_combined_score_weighs_its_parts_as_they_are_now(person, activated):
    activated(rule("visited", 30), cap=50, name="engagement")
    activated(rule("asked", 10), parts={"engagement": 0.5, "nothing-yet": 3})
    contact_id = person()
    write_history(contact_id, [Happened(kind, ago(days=day)) for day in (1, 2) for kind in ("visited", "asked")])
    assert score_of(contact_id) == 20.0 + 0.5 * 50
    activated(rule("visited", 1), name="engagement")
    assert score_of(contact_id) == 20.0 + 0.5 * 2


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
    activated(*(rule(kind, 5) for kind in chance.TYPES))
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
