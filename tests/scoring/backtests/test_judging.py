"""When a contact would have crossed, and what the past is read from."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction

from contacts.models import Contact, ContactChange
from scoring.backtests import judging
from scoring.lifecycle import stages
from scoring.projection.moving import MOVING
from tests.scoring.backtests.conftest import rows
from tests.scoring.conftest import rule, write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db


@pytest.fixture
def ago(now):
    return lambda **span: now - timedelta(**span)


def only(backtest):
    (row,) = rows(backtest).values()
    return row


def test_somebody_who_has_the_points_already_crosses_when_the_window_begins(person, drafted, tried, ago):
    write_history(person(), [Happened("visited", ago(days=40)), Happened("other", ago(days=3))])
    backtest = tried(drafted(rule("visited", 60)))
    assert only(backtest).crossed_at == backtest.since
    assert backtest.result["tried"]["above_at_start"] == 1


def test_who_did_nothing_in_the_window_is_not_looked_at(person, drafted, tried, ago):
    write_history(person(), [Happened("visited", ago(days=40))])
    backtest = tried(drafted(rule("visited", 60)))
    assert rows(backtest) == {}
    assert (backtest.contacts_done, backtest.contacts_looked_at) == (1, 0)


def test_the_ends_of_the_window_belong_to_it_and_what_comes_later_does_not(person, drafted, tried, ago, now):
    at_the_end, later = person(), person()
    write_history(at_the_end, [Happened("visited", now), Happened("bought", ago(days=30))])
    write_history(later, [Happened("other", now), Happened("visited", now + timedelta(microseconds=1))])
    found = rows(tried(drafted(rule("visited", 60))))
    assert set(found) == {at_the_end}
    assert found[at_the_end].crossed_at == now
    assert found[at_the_end].converted_at == ago(days=30)


def test_points_that_come_back_at_once_cross_at_that_instant(person, drafted, tried, ago):
    """A penalty of ten days: sixty again when it is over, though nothing happens then."""
    write_history(person(), [Happened("visited", ago(days=25)), Happened("complained", ago(days=25))])
    for fading in (
        {"decay": {"type": "step", "period": "P10D"}},
        {"signal": {"event": "complained", "within": "P10D"}},
    ):
        backtest = tried(drafted(rule("visited", 60), {**rule("complained", -30), **fading}))
        assert only(backtest).crossed_at == ago(days=15)


def test_points_that_come_back_little_by_little_are_found_within_a_day(person, drafted, tried, ago):
    write_history(person(), [Happened("visited", ago(days=25)), Happened("complained", ago(days=25))])
    penalty = rule("complained", -40, decay={"type": "half_life", "period": "P5D"})
    backtest = tried(drafted(rule("visited", 80), penalty))  # 60 when the penalty is down to 20: after five days
    exact = ago(days=20)
    assert exact <= only(backtest).crossed_at <= exact + timedelta(days=1)


def test_a_condition_that_looks_at_the_time_is_looked_at_every_day(person, drafted, tried, ago):
    write_history(person(), [Happened("visited", ago(days=20, hours=1)), Happened("other", ago(days=20))])
    idle = {"not": {"event": "visited", "within": "P7D"}}
    backtest = tried(drafted({"name": "idle", "signal": idle, "points": 60}), since=ago(days=20))
    quiet_since = ago(days=13, hours=1)
    assert quiet_since <= only(backtest).crossed_at <= quiet_since + timedelta(days=1)


def test_conditions_that_count_events_count_them_as_of_then(person, drafted, tried, ago):
    write_history(person(), [Happened("visited", ago(days=day)) for day in (9, 7, 5, 3)])
    often = {"event": "visited", "op": "gte", "count": 3, "within": "P5D"}
    backtest = tried(drafted({"name": "often", "signal": often, "points": 60}))
    assert only(backtest).crossed_at == ago(days=5)


def test_attributes_are_read_as_they_were_then(person, drafted, tried, ago):
    ada, ben = person(attributes={"title": "Director"}), person(attributes={"title": "Director"})
    for contact_id in (ada, ben):
        write_history(contact_id, [Happened("visited", ago(days=day)) for day in (20, 10)])
    promotion = {"kind": "attribute", "name": "title", "source": "api", "new": "Director"}
    ContactChange.objects.create(contact_id=ada, changed_at=ago(days=15), old="Clerk", **promotion)
    ContactChange.objects.create(contact_id=ben, changed_at=ago(days=40), old=None, **promotion)
    director = {"name": "director", "signal": {"field": "title", "op": "eq", "value": "Director"}, "points": 60}
    found = rows(tried(drafted(director)))
    assert (found[ada].crossed_at, found[ben].crossed_at) == (ago(days=15), ago(days=30))


def test_an_attribute_that_came_later_was_not_there_then(person, drafted, tried, ago):
    ada = person(attributes={"plan": "paid"})
    write_history(ada, [Happened("visited", ago(days=20)), Happened("bought", ago(days=10))])
    ContactChange.objects.create(
        contact_id=ada, changed_at=ago(days=9), kind="attribute", name="plan", old=None, new="paid", source="api"
    )
    payer = {"name": "payer", "signal": {"field": "plan", "op": "eq", "value": "paid"}, "points": 60}
    backtest = tried(drafted(payer))
    assert only(backtest).crossed_at == ago(days=9)
    told = backtest.result["tried"]
    assert (told["crossed"], told["late"], told["foretold"]) == (0, 1, 0)


def test_the_event_that_is_the_conversion_does_not_foretell_itself(person, drafted, tried, ago):
    write_history(person(), [Happened("bought", ago(days=5))])
    backtest = tried(drafted(rule("bought", 60)))
    told = backtest.result["tried"]
    assert (told["crossed"], told["late"], told["recall"]["share"]) == (0, 1, 0.0)
    assert only(backtest).best == 0.0


def test_a_conversion_may_be_narrowed_by_the_properties_of_its_event(person, drafted, tried, ago):
    write_history(person(), [Happened("bought", ago(days=9), size=1), Happened("bought", ago(days=5), size=50)])
    large = {"event": "bought", "where": {"field": "event.size", "op": "gte", "value": 10}}
    assert only(tried(drafted(rule("visited", 1)), conversion=large)).converted_at == ago(days=5)


def test_a_conversion_may_be_a_stage(person, drafted, tried, ago):
    ada, ben = person(), person()
    write_history(ada, [Happened("visited", ago(days=9))])
    with transaction.atomic():
        for days, stage in ((8, "lead"), (4, "customer"), (2, "churned"), (1, "customer")):
            stages.move(contact_ids=[ada], to_stage=stage, reason="x", source="api", now=ago(days=days))
        stages.move(contact_ids=[ben], to_stage="customer", reason="x", source="api", now=ago(days=31))
    found = rows(tried(drafted(rule("visited", 60)), conversion={"stage": "customer"}))
    assert {contact_id: row.converted_at for contact_id, row in found.items()} == {ada: ago(days=4)}


def test_what_machines_open_and_what_consent_holds_back_is_no_conversion(person, drafted, tried, ago):
    held, scanned = person(), person()
    write_history(held, [Happened("bought", ago(days=5))], processed=False)
    write_history(scanned, [Happened("email_opened", ago(days=5))])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE contact_events SET properties = '{\"is_machine\": true}' WHERE contact_id = %s", [scanned]
        )
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert rows(tried(drafted(rule("visited", 1)))) == {}
    assert rows(tried(drafted(rule("visited", 1)), conversion={"event": "email_opened"})) == {}


def test_parts_of_a_combined_score_count_with_their_weight_and_what_they_take_away_comes_back(
    person, drafted, tried, activated, ago
):
    activated(rule("complained", 60, decay={"type": "step", "period": "P10D"}), name="anger")
    write_history(person(), [Happened("visited", ago(days=25)), Happened("complained", ago(days=25))])
    backtest = tried(drafted(rule("visited", 60), parts={"anger": -0.5}))
    assert only(backtest).crossed_at == ago(days=15)


def test_who_did_too_much_is_looked_at_after_the_first_events_and_counted(person, drafted, tried, ago, monkeypatch):
    monkeypatch.setattr(judging, "MOST_INSTANTS", 3)
    busy, idle = person(), person()
    write_history(busy, [Happened("visited", ago(days=day)) for day in range(9)])
    write_history(idle, [Happened("visited", ago(days=day)) for day in range(2)])
    backtest = tried(drafted(rule("visited", 20)))
    assert backtest.contacts_cut == 1
    assert rows(backtest)[busy].best == 40.0  # the beginning of the window, and two events
    assert rows(backtest)[idle].best == 40.0


def test_an_instant_that_moves_is_never_written_down():
    for write in (str, type(MOVING).isoformat, type(MOVING).timestamp):
        with pytest.raises(TypeError):
            write(MOVING)
    assert isinstance(MOVING - timedelta(days=1), type(MOVING))


def test_the_erased_and_the_merged_are_not_looked_at(person, drafted, tried, ago, now):
    gone, once, ada = person(), person(), person()
    for contact_id in (gone, once, ada):
        write_history(contact_id, [Happened("visited", ago(days=1))])
    Contact.objects.filter(pk=gone).update(erased_at=now)
    Contact.objects.filter(pk=once).update(merged_into=ada)
    backtest = tried(drafted(rule("visited", 60)))
    assert set(rows(backtest)) == {ada}
    assert backtest.contacts_done == backtest.contacts_total == 1


def test_who_bought_before_the_window_is_judged_by_what_they_buy_in_it(person, drafted, tried, ago):
    write_history(person(), [Happened("bought", ago(days=40)), Happened("bought", ago(days=3))])
    assert only(tried(drafted(rule("visited", 60)))).converted_at == ago(days=3)


def test_guessing_picks_among_those_who_had_not_converted_by_then(person, drafted, tried, ago):
    """One crosses at the very moment at which another converts: that one is out of the question already."""
    crosser, same_moment, later, never = (person() for _ in range(4))
    write_history(crosser, [Happened("visited", ago(days=9))])
    write_history(same_moment, [Happened("bought", ago(days=9))])
    write_history(later, [Happened("bought", ago(days=8))])
    write_history(never, [Happened("other", ago(days=8))])
    assert tried(drafted(rule("visited", 60))).result["tried"]["guessing"] == pytest.approx(1 / 3)
