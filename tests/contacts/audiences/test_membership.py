"""Membership follows what happens to contacts, and every change is told once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from contacts import events, transactions, upserting
from contacts.audiences import checks, lists, membership, segments, tags
from contacts.audiences.lists import Place
from contacts.audiences.tags import Tagging
from contacts.models import Contact, SegmentCheck
from contacts.upserting import Person
from tests.contacts.audiences.keeping import check, count, fill, make, make_live, members, people, told
from tests.contacts.conftest import await_events, event

pytestmark = pytest.mark.django_db


def say(who: str, lane: str = "urgent", **attributes) -> int:
    person = Person(fields={"external_id": who}, attributes=attributes)
    (contact_id,) = transactions.run(
        lambda now: upserting.upsert([person], source="api", now=now, lane=lane)
    ).contact_ids
    assert contact_id
    return contact_id


def record(*happened, lane: str = "urgent") -> None:
    transactions.run(lambda now: events.record_batch(list(happened), source="api", now=now, lane=lane))


def test_a_new_segment_is_filled_in_silence():
    ada, _bob, eve = people({"plan": "pro"}, {}, {"plan": "pro"})
    make_live("pro")
    assert members("pro") == [ada, eve]
    assert segments.standings()["pro"].state == "live"
    assert told() == []


def test_a_changed_attribute_moves_the_contact_and_tells_it():
    make_live("pro")
    ada = say("ada", plan="pro")
    check()
    assert members("pro") == [ada]
    say("ada", plan="free")
    check()
    assert members("pro") == []
    say("ada", plan="pro")
    check()
    assert told() == [(ada, "entered", "pro"), (ada, "left", "pro"), (ada, "entered", "pro")]


def test_the_events_of_a_change_come_in_its_lane():
    await_events("segment_entered")
    make_live("pro")
    say("ada", plan="pro", lane="bulk")
    check()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT lane FROM pending_events p JOIN contact_events e ON e.id = event_id WHERE type = 'segment_entered'"
        )
        assert cursor.fetchall() == [("bulk",)]


def test_a_new_contact_of_whom_nothing_is_known_enters_what_asks_for_nothing():
    make_live("without-plan", {"field": "plan", "op": "not_exists"})
    record(event("ada"))
    check()
    (ada,) = Contact.objects.values_list("pk", flat=True)
    assert told() == [(ada, "entered", "without-plan")]


def test_events_are_counted_as_they_come():
    make_live("buyers", {"event": "bought", "count": 2})
    for key in ("1", "2", "3"):
        record(event("ada", "bought", key=key))
        check()
    (ada,) = Contact.objects.values_list("pk", flat=True)
    assert told() == [(ada, "entered", "buyers")]


def test_an_event_without_consent_marks_nobody():
    make_live("buyers", {"event": "bought"})
    ada = say("ada")
    check()
    record(event(ada, "bought", context={"consent": {"tracking": "denied"}}))
    assert not SegmentCheck.objects.exists() or not members("buyers")


def test_an_event_that_lies_ahead_counts_when_its_time_has_come():
    make_live("buyers", {"event": "bought"})
    ada = say("ada")
    check()
    at = transactions.run(lambda now: now) + timedelta(hours=2)
    record(event(ada, "bought", at=at))
    check()
    assert members("buyers") == []
    check(now=at + timedelta(seconds=1))
    assert members("buyers") == [ada]


def test_a_check_that_began_before_the_change_leaves_it_for_the_next_one():
    """Its clock stood before the event: it would not have counted it."""
    make_live("buyers", {"event": "bought"})
    began = transactions.run(lambda now: now) - timedelta(milliseconds=1)
    record(event("ada", "bought"))
    assert not transactions.run(lambda _: membership.check_batch("urgent", began))
    check()
    assert len(members("buyers")) == 1


def test_tags_and_lists_move_contacts():
    transactions.run(lambda now: lists.create(slug="news", name="News", now=now))
    make_live("vip", {"has_tag": "vip"})
    make_live("readers", {"in_list": "news"})
    (ada,) = people({})
    transactions.run(lambda now: tags.add_tags([Tagging(ada, "vip", "api")], now=now))
    transactions.run(lambda now: lists.join([Place(ada, "news", "api")], now=now))
    check()
    transactions.run(lambda now: tags.remove_tags([Tagging(ada, "vip", "api")], now=now))
    transactions.run(lambda now: lists.leave([Place(ada, "news", "api")], now=now))
    check()
    assert told() == [
        (ada, "entered", "vip"),
        (ada, "entered", "readers"),
        (ada, "left", "vip"),
        (ada, "left", "readers"),
    ]


def test_a_segment_of_segments_follows_in_the_same_transaction():
    make_live("pro")
    make_live("good", {"all": [{"in_segment": "pro"}, {"not": {"has_tag": "bad"}}]})
    make_live("better", {"in_segment": "good"})
    ada = say("ada", plan="pro")
    assert transactions.run(lambda now: membership.check_batch("urgent", now))
    assert told() == [(ada, "entered", "pro"), (ada, "entered", "good"), (ada, "entered", "better")]
    assert [each.level for each in _levels()] == [0, 1, 2]


def _levels():
    from contacts.audiences import definitions

    return definitions.load()


def test_what_no_segment_reads_marks_nobody():
    make_live("buyers", {"event": "bought"})
    ada = say("ada")
    check()
    record(event(ada, "visited"))
    say("ada", plan="pro")
    assert count("segment_checks") == 0


def test_a_changed_condition_is_filled_anew_in_silence_and_then_told_again():
    make_live("chosen")
    ada, bob = say("ada", plan="pro"), say("bob", plan="free")
    check()
    transactions.run(
        lambda now: segments.change("chosen", condition={"field": "plan", "op": "eq", "value": "free"}, now=now)
    )
    fill()
    assert members("chosen") == [bob]
    say("ada", plan="free")
    check()
    assert told() == [(ada, "entered", "chosen"), (ada, "entered", "chosen")]


def test_a_change_while_a_segment_is_filled_is_neither_lost_nor_told():
    make("pro")
    ada = say("ada", plan="pro")
    check()
    assert members("pro") == [ada]
    fill()
    assert members("pro") == [ada]
    assert told() == []


def test_whoever_is_erased_leaves_in_silence():
    make_live("pro")
    ada = say("ada", plan="pro")
    check()
    with transaction.atomic():
        Contact.objects.filter(pk=ada).update(erased_at="2026-01-01T00:00Z")
        transactions.run(lambda now: checks.mark([ada], {"created"}, lane="urgent", now=now))
    check()
    assert members("pro") == []
    assert told() == [(ada, "entered", "pro")]


def test_without_segments_a_batch_costs_one_statement_more_and_writes_nothing(now, django_assert_num_queries):
    with django_assert_num_queries(1):
        checks.mark(list(range(1, 1001)), {"attribute", "created"}, lane="urgent", now=now)
    assert count("segment_checks") == 0


def test_the_number_of_statements_does_not_depend_on_the_contacts():
    make_live("pro")
    make_live("good", {"in_segment": "pro"})

    def statements(number: int) -> int:
        batch = [Person(fields={"external_id": f"{number}-{n}"}, attributes={"plan": "pro"}) for n in range(number)]
        transactions.run(lambda now: upserting.upsert(batch, source="api", now=now))
        with CaptureQueriesContext(
            connection,
        ) as found:
            while transactions.run(lambda now: membership.check_batch("urgent", now, limit=10_000)):
                pass
        return len(found)

    assert statements(2) == statements(40)


def test_a_condition_that_cannot_be_read_any_more_stops_no_other(caplog):
    make_live("pro")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO segments (slug, name, condition, state, reads) VALUES "
            "('old', 'Old', '{\"field\": \"lists\", \"op\": \"exists\"}', 'live', '{attribute}')"
        )
    ada = say("ada", plan="pro")
    check()
    assert members("pro") == [ada]
    assert "the condition of segment old cannot be read" in caplog.text
