"""Counted events: how often, since when, which ones, and which are not to be seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contacts.conditions import matching_contacts, parse
from tests.contacts.conditions.asking import add_event, add_tag, holds, make_contact

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("op", "count", "true_for"),
    [
        ("gte", 0, [0, 1, 2, 3, 4]),
        ("gte", 1, [1, 2, 3, 4]),
        ("gte", 3, [3, 4]),
        ("gt", 0, [1, 2, 3, 4]),
        ("gt", 2, [3, 4]),
        ("lt", 0, []),
        ("lt", 1, [0]),
        ("lt", 3, [0, 1, 2]),
        ("lte", 0, [0]),
        ("lte", 2, [0, 1, 2]),
        ("eq", 0, [0]),
        ("eq", 1, [1]),
        ("eq", 3, [3]),
        ("ne", 0, [1, 2, 3, 4]),
        ("ne", 2, [0, 1, 3, 4]),
    ],
)
def test_the_number_of_events_is_compared_exactly(op, count, true_for):
    contacts = [make_contact() for _ in range(5)]
    for number, contact_id in enumerate(contacts):
        for position in range(number):
            add_event(contact_id, "order_completed", NOW - position * HOUR)
    condition = parse({"event": "order_completed", "op": op, "count": count})
    found = matching_contacts(condition, contact_ids=contacts, now=NOW)
    assert found == {contacts[number] for number in true_for}


def test_without_op_and_count_one_event_is_enough():
    contact_id = make_contact()
    assert holds({"event": "signed_up"}, contact_id, NOW) is False
    add_event(contact_id, "signed_up", NOW)
    assert holds({"event": "signed_up"}, contact_id, NOW) is True


def test_only_events_of_this_contact_and_this_type_count():
    contact_id, other = make_contact(), make_contact()
    add_event(other, "signed_up", NOW)
    add_event(contact_id, "Signed_up", NOW)
    assert holds({"event": "signed_up"}, contact_id, NOW) is False


def test_an_event_held_by_consent_is_invisible():
    contact_id = make_contact()
    add_event(contact_id, "signed_up", NOW, processed=False)
    assert holds({"event": "signed_up"}, contact_id, NOW) is False
    assert holds({"event": "signed_up", "op": "eq", "count": 0}, contact_id, NOW) is True


def test_an_event_ahead_of_now_does_not_count_yet():
    contact_id = make_contact()
    add_event(contact_id, "signed_up", NOW + HOUR, recorded_at=NOW)
    assert holds({"event": "signed_up"}, contact_id, NOW) is False
    assert holds({"event": "signed_up"}, contact_id, NOW + HOUR) is True


def test_a_window_begins_after_its_first_instant_and_ends_with_now():
    contact_id = make_contact()
    add_event(contact_id, "signed_up", NOW - 30 * DAY)
    assert holds({"event": "signed_up", "within": "P30D"}, contact_id, NOW) is False
    assert holds({"event": "signed_up", "within": "P30D"}, contact_id, NOW - timedelta(microseconds=1)) is True
    assert holds({"event": "signed_up", "within": "P30DT1S"}, contact_id, NOW) is True


def test_an_event_may_be_recorded_a_day_before_it_happened_or_years_after():
    contact_id = make_contact()
    add_event(contact_id, "announced", NOW, recorded_at=NOW - DAY)
    add_event(contact_id, "imported", NOW, recorded_at=NOW + 1000 * DAY)
    assert holds({"event": "announced", "within": "PT1S"}, contact_id, NOW) is True
    assert holds({"event": "imported", "within": "PT1S"}, contact_id, NOW) is True


def test_a_window_shrinks_when_the_installation_runs_faster_than_life(settings):
    contact_id = make_contact()
    add_event(contact_id, "signed_up", NOW - HOUR)
    settings.TIME_SPEED = 23.0
    assert holds({"event": "signed_up", "within": "P1D"}, contact_id, NOW) is True
    settings.TIME_SPEED = 24.0
    assert holds({"event": "signed_up", "within": "P1D"}, contact_id, NOW) is False


@pytest.mark.parametrize("kind", ["email_opened", "email_clicked"])
@pytest.mark.parametrize(
    ("properties", "counts"),
    [({}, True), ({"is_machine": False}, True), ({"is_machine": None}, True), ({"is_machine": True}, False)],
)
def test_an_engagement_counts_only_if_a_person_did_it(kind, properties, counts):
    contact_id = make_contact()
    add_event(contact_id, kind, NOW, properties=properties)
    assert holds({"event": kind}, contact_id, NOW) is counts
    assert holds({"event": kind, "op": "eq", "count": 1}, contact_id, NOW) is counts


def test_other_events_may_have_a_property_of_that_name():
    contact_id = make_contact()
    add_event(contact_id, "sewn", NOW, properties={"is_machine": True})
    assert holds({"event": "sewn"}, contact_id, NOW) is True


def test_message_narrows_an_engagement_to_a_workflow_a_step_or_a_template():
    contact_id = make_contact()
    of = {"workflow": "onboarding", "step": "welcome", "template": "hello"}
    add_event(contact_id, "email_opened", NOW, properties={**of, "message_id": 5})
    for narrowed in ({}, {"workflow": "onboarding"}, {"step": "welcome", "template": "hello"}, of):
        assert holds({"event": "email_opened", "message": narrowed}, contact_id, NOW) is True
    for other in ({"workflow": "other"}, {**of, "step": "tour"}, {"template": "Hello"}):
        assert holds({"event": "email_opened", "message": other}, contact_id, NOW) is False


def test_where_filters_by_properties_and_its_negation_is_exact():
    contact_id = make_contact(attributes={"vip": True})
    for total in (10, 60, "60", None):
        add_event(contact_id, "order_completed", NOW, properties={"total": total})
    above = {"field": "event.total", "op": "gt", "value": 50}
    counting = {"event": "order_completed", "op": "eq"}
    assert holds({**counting, "count": 1, "where": above}, contact_id, NOW) is True
    assert holds({**counting, "count": 3, "where": {"not": above}}, contact_id, NOW) is True
    known = {"all": [{"field": "event.total", "op": "exists"}, {"field": "vip", "op": "eq", "value": True}]}
    assert holds({**counting, "count": 3, "where": known}, contact_id, NOW) is True


def test_a_tag_is_a_tag_of_exactly_that_name():
    contact_id = make_contact()
    add_tag(contact_id, "VIP", NOW)
    add_tag(make_contact(), "vip", NOW)
    assert holds({"has_tag": "VIP"}, contact_id, NOW) is True
    assert holds({"has_tag": "vip"}, contact_id, NOW) is False


def test_groups_follow_the_rules_of_logic_also_when_they_are_empty():
    contact_id = make_contact()
    yes, no = {"field": "email", "op": "not_exists"}, {"field": "email", "op": "exists"}
    table = [
        ({"all": []}, True), ({"any": []}, False), ({"not": {"all": []}}, False), ({"not": {"any": []}}, True),
        ({"all": [yes, yes]}, True), ({"all": [yes, no]}, False), ({"any": [no, yes]}, True), ({"any": [no]}, False),
        ({"not": {"not": yes}}, True), ({"all": [yes, {"any": [no, {"not": no}]}]}, True),
        ({"any": [{"all": [yes, no]}, {"not": {"any": [no, yes]}}]}, False),
    ]  # fmt: skip
    assert [tree for tree, expected in table if holds(tree, contact_id, NOW) is not expected] == []


def test_matching_contacts_asks_once_and_only_about_the_contacts_it_was_given(django_assert_num_queries):
    contacts = [make_contact(attributes={"n": number}) for number in range(5)]
    condition = parse({"any": [{"field": "n", "op": "gte", "value": 3}, {"field": "n", "op": "eq", "value": 0}]})
    with django_assert_num_queries(1):
        assert matching_contacts(condition, contact_ids=contacts[1:], now=NOW) == set(contacts[3:])
    assert matching_contacts(condition, contact_ids=[], now=NOW) == set()
