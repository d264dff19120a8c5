"""Crossings: each once, none missed between events, and the stage and the news that follow."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from contacts.models import Contact, ContactEvent
from scoring.crossings import checks, comparing, recheck
from scoring.lifecycle import stages
from scoring.models import LifecycleEvent, ScoreCheck, ScoreCrossing, ScoreSide
from tests.scoring.conftest import rule
from tests.scoring.playing import NOW, check, check_at, let_time_pass, record

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
HALF_LIFE = {"type": "half_life", "period": "P1D"}


def crossed(contact_id):
    rows = ScoreCrossing.objects.filter(contact_id=contact_id).order_by("seq")
    return [("up" if row.upward else "down", row.crossed_at) for row in rows]


def own_events(contact_id, kind):
    return [event.properties for event in ContactEvent.objects.filter(contact_id=contact_id, type=kind).order_by("id")]


# -- one by one --------------------------------------------------------------------------------------------------------


def test_reaching_the_threshold_is_a_crossing_a_stage_and_news(person, activated):
    activated(rule("asked", 60))
    contact_id = person()
    record(contact_id, "asked")
    assert check()
    assert crossed(contact_id) == [("up", NOW)]
    assert stages.current_stages([contact_id]) == {contact_id: "mql"}
    (news,) = own_events(contact_id, "score_threshold_crossed")
    assert news == {
        "score_name": "lead",
        "threshold": 60,
        "direction": "up",
        "score": 60,
        "ruleset": "lead v1",
        "crossing": 1,
    }
    (moved,) = own_events(contact_id, "lifecycle_changed")
    assert (moved["from"], moved["to"]) == ("", "mql")


def test_below_the_threshold_nothing_happens_and_nothing_is_armed(person, activated):
    activated(rule("asked", 59.9))
    contact_id = person()
    record(contact_id, "asked")
    assert check()
    assert crossed(contact_id) == [] and check_at(contact_id) is None


def test_the_fall_by_decay_is_armed_for_its_instant_and_is_never_early(person, activated):
    activated(rule("asked", 108, decay=HALF_LIFE))
    contact_id = person()
    record(contact_id, "asked")
    check()
    at = check_at(contact_id)
    assert NOW + DAY <= at <= NOW + DAY + timedelta(seconds=1)  # 108 -> 54, 90 % of 60
    assert not check(at - timedelta(seconds=1))
    assert check(at)
    assert crossed(contact_id) == [("up", NOW), ("down", at)]
    assert stages.current_stages([contact_id]) == {contact_id: "mql"}  # going back is for people to decide


def test_a_rise_by_fading_negatives_is_found_too(person, activated):
    activated(rule("asked", 70), rule("left", -20, decay=HALF_LIFE))
    contact_id = person()
    record(contact_id, "left")
    record(contact_id, "asked")
    check()
    assert crossed(contact_id) == []
    let_time_pass(contact_id, NOW + 3 * DAY)
    ((direction, at),) = crossed(contact_id)
    assert direction == "up" and NOW + DAY <= at <= NOW + DAY + timedelta(seconds=1)


def test_between_ninety_per_cent_and_the_threshold_there_is_silence(person, activated):
    activated(rule("asked", 60), rule("left", -5), rule("lost", -2))
    contact_id = person()
    for minute, kind in enumerate(["asked", "left", "asked", "left"]):
        at = NOW + timedelta(minutes=minute)
        record(contact_id, kind, at)
        check(at)
    assert [direction for direction, _ in crossed(contact_id)] == ["up"]


def test_after_a_real_fall_the_threshold_can_be_reached_again(person, activated):
    activated(rule("asked", 60), rule("left", -50))
    contact_id = person()
    for minute, kind in enumerate(["asked", "left", "asked"]):
        at = NOW + timedelta(minutes=minute)
        record(contact_id, kind, at)
        check(at)
    assert [direction for direction, _ in crossed(contact_id)] == ["up", "down", "up"]
    assert [news["crossing"] for news in own_events(contact_id, "score_threshold_crossed")] == [1, 2, 3]
    assert LifecycleEvent.objects.filter(contact_id=contact_id).count() == 1


@pytest.mark.parametrize(("stage", "after"), [("lead", "mql"), ("customer", "customer"), ("sql", "sql")])
def test_a_score_moves_nobody_back(person, activated, stage, after):
    activated(rule("asked", 60))
    contact_id = person()
    with transaction.atomic():
        stages.move(contact_ids=[contact_id], to_stage=stage, reason="", source="api", now=NOW)
    record(contact_id, "asked")
    check()
    assert stages.current_stages([contact_id]) == {contact_id: after}


def test_an_event_that_no_rule_looks_at_asks_for_no_check(person, activated):
    activated(rule("asked", 60))
    contact_id = person()
    record(contact_id, "visited")
    assert check_at(contact_id) is None


def test_an_event_deep_in_a_condition_asks_for_a_check(person, activated):
    deep = {"all": [{"field": "plan", "op": "eq", "value": "pro"}, {"not": {"event": "left", "within": "P7D"}}]}
    activated({"name": "deep", "signal": deep, "points": 60})
    contact_id = person()
    record(contact_id, "left")
    assert check_at(contact_id) == NOW


def test_an_event_makes_an_armed_check_earlier_and_urgent_comes_before_bulk(person, activated):
    activated(rule("asked", 200, decay=HALF_LIFE))
    contact_id = person()
    record(contact_id, "asked")
    check()
    armed = check_at(contact_id)
    record(contact_id, "asked", NOW + timedelta(minutes=1), lane="bulk")
    assert check_at(contact_id) == NOW + timedelta(minutes=1) < armed
    assert not check(NOW + timedelta(minutes=1), lane="urgent")
    record(contact_id, "asked", NOW + timedelta(minutes=2))
    assert check_at(contact_id) == NOW + timedelta(minutes=1)
    assert check(NOW + timedelta(minutes=1), lane="urgent")


def test_an_event_dated_ahead_counts_from_its_own_instant(person, activated):
    activated(rule("asked", 60))
    contact_id = person()
    record(contact_id, "asked", occurred_at=NOW + timedelta(hours=5))
    check()
    assert crossed(contact_id) == []
    let_time_pass(contact_id, NOW + DAY)
    assert crossed(contact_id) == [("up", NOW + timedelta(hours=5))]


def test_a_window_that_ends_lets_the_score_fall_at_its_end(person, activated):
    recent = {"event": "asked", "op": "gte", "count": 1, "within": "P7D"}
    activated({"name": "recent", "signal": recent, "points": 60})
    contact_id = person()
    record(contact_id, "asked")
    check()
    let_time_pass(contact_id, NOW + 8 * DAY)
    assert crossed(contact_id) == [("up", NOW), ("down", NOW + 7 * DAY)]


def test_a_date_that_comes_of_age_lets_the_score_fall(person, activated):
    fresh = {"field": "trial_started", "op": "within_last", "value": "P14D"}
    activated({"name": "fresh trial", "signal": fresh, "points": 60}, rule("asked", 1))
    contact_id = person(attributes={"trial_started": "2026-03-01T00:00:00Z"})
    record(contact_id, "asked")
    check()
    let_time_pass(contact_id, NOW + 30 * DAY)
    assert [direction for direction, _ in crossed(contact_id)] == ["up", "down"]
    assert crossed(contact_id)[1][1] == datetime(2026, 3, 15, tzinfo=UTC)


def test_a_contact_that_was_merged_is_nobody_any_more(person, activated):
    activated(rule("asked", 60))
    contact_id, other = person(), person()
    record(contact_id, "asked")
    Contact.objects.filter(pk=contact_id).update(merged_into=other)
    assert check()
    assert crossed(contact_id) == [] and check_at(contact_id) is None


def test_two_scores_cross_each_on_their_own_and_only_lead_moves_the_stage(person, activated):
    activated(rule("asked", 60), name="fit")
    activated(rule("asked", 10))
    contact_id = person()
    record(contact_id, "asked")
    check()
    assert ScoreCrossing.objects.get(contact_id=contact_id).score_name == "fit"
    assert stages.current_stages([contact_id]) == {}


def test_a_rule_about_our_own_news_is_checked_as_well(person, activated):
    activated(rule("asked", 60), rule("lifecycle_changed", -50))
    contact_id = person()
    record(contact_id, "asked")
    check()
    assert check_at(contact_id) == NOW
    check()
    assert [direction for direction, _ in crossed(contact_id)] == ["up", "down"]


def test_the_number_of_statements_does_not_depend_on_the_number_of_contacts(person, activated):
    activated(rule("asked", 60, decay=HALF_LIFE), rule("left", -5))
    few, many = [person()], [person() for _ in range(40)]
    counts = []
    for group in (few, many):
        record(group, "asked")
        with CaptureQueriesContext(connection) as queries:
            assert check(limit=100)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_crossings_and_stages_cannot_be_changed_afterwards(person, activated):
    activated(rule("asked", 60))
    contact_id = person()
    record(contact_id, "asked")
    check()
    for table in ("score_crossings", "lifecycle_events"):
        for deed in (f"UPDATE {table} SET contact_id = 1", f"DELETE FROM {table}"):
            with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(deed)


# -- several workers at once -------------------------------------------------------------------------------------------


def together(*deeds):
    """Run each in a thread of its own; raises what they raised."""
    failures = []

    def run(deed):
        try:
            deed()
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[deed]) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.django_db(transaction=True)
def test_a_crossing_is_written_while_others_are_being_asked_for_a_check(person, activated):
    asked, crosses = person(), person()
    record([asked, crosses], "asked")
    activated(rule("asked", 60))
    record(crosses, "asked")
    with transaction.atomic():
        assert recheck.ask_batch(now=NOW)  # notes which transactions to wait for

    def compare():
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '2s'")
            assert comparing.check_batch(now=NOW)

    with transaction.atomic():
        assert recheck.ask_batch(now=NOW, limit=1)
        together(compare)
    assert crossed(crosses) == [("up", NOW)]


@pytest.mark.django_db(transaction=True)
def test_many_workers_emit_each_crossing_once_while_events_keep_coming(person, activated):
    activated(rule("asked", 20), rule("left", -45))
    people = [person() for _ in range(40)]
    steps = ["asked", "asked", "asked", "left", "asked", "asked", "asked", "left", "asked", "asked"]  # 70 in the end

    def tell():
        for minute, kind in enumerate(steps):
            record(people, kind, NOW + timedelta(minutes=minute))

    def work():
        for _ in range(60):
            check(NOW + DAY, limit=7)

    together(tell, work, work, work)
    while check(NOW + DAY, limit=50):
        pass
    for contact_id in people:
        directions = [direction for direction, _ in crossed(contact_id)]
        # a worker that looks late may miss a short fall, but never sees the same crossing twice
        assert directions in (["up"], ["up", "down", "up"], ["up", "down", "up", "down", "up"])
        assert ScoreSide.objects.get(contact_id=contact_id).seq == len(directions)
        assert len(own_events(contact_id, "score_threshold_crossed")) == len(directions)
    assert not ScoreCheck.objects.filter(check_at__lte=NOW + DAY).exists()


@pytest.mark.django_db(transaction=True)
def test_an_event_recorded_while_its_contact_is_checked_is_not_forgotten(person, activated):
    activated(rule("asked", 30))
    contact_id = person()
    record(contact_id, "asked")
    claimed, recorded = threading.Event(), threading.Event()

    def work():
        with transaction.atomic():
            assert [*checks.claim(now=NOW, limit=5, lane=None)[0]] == [contact_id]
            claimed.set()
            recorded.wait(0.3)  # the recorder waits for our lock, so this runs out
            checks.settle(contact_ids=[contact_id], next_checks={})

    def tell():
        claimed.wait(5)
        record(contact_id, "asked", NOW + timedelta(minutes=1))
        recorded.set()

    together(work, tell)
    assert check_at(contact_id) == NOW + timedelta(minutes=1)
    assert check(NOW + timedelta(minutes=1))
    assert [direction for direction, _ in crossed(contact_id)] == ["up"]
