"""Fields of the event at hand and of the entry event, and values taken from the entry event."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from contacts.conditions import Aliases, compile_condition, parse
from tests.contacts.conditions.asking import EVERYWHERE, add_event, holds_for, make_contact

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ENTRY = {
    "type": "order_completed",
    "occurred_at": "2026-03-04T10:00:00+00:00",
    "event_id": 7,
    "properties": {"order_id": "A-1", "total": 50, "gift": True, "note": "", "none": None, "sizes": ["M", None]},
}
EVENT = {
    "type": "order_shipped",
    "occurred_at": NOW - timedelta(hours=1),
    "properties": {"order_id": "A-1", "type": "x"},
}


def true_of(field: str, op: str, value: object, *, attributes: dict | None = None, email: str = "") -> bool | None:
    condition = parse({"field": field, "op": op, "value": value}, scope=EVERYWHERE)
    contact = {"attributes": attributes or {}, "email": email, "created_at": NOW - timedelta(hours=3)}
    return holds_for(condition, NOW, contact=contact, event=EVENT, trigger=ENTRY)


@pytest.mark.parametrize(
    ("field", "op", "value", "expected"),
    [
        ("event.order_id", "eq", "A-1", True),
        ("event.type", "eq", "order_shipped", True),
        ("event.type", "starts_with", "ORDER_", True),
        ("event.occurred_at", "within_last", "PT2H", True),
        ("event.occurred_at", "within_last", "PT1H", False),
        ("event.nothing", "not_contains", "x", True),
        ("trigger.order_id", "eq", "A-1", True),
        ("trigger.type", "eq", "order_completed", True),
        ("trigger.occurred_at", "before", "2026-03-04T10:00:01Z", True),
        ("trigger.total", "gte", 50, True),
        ("trigger.event_id", "exists", None, False),
    ],
)
def test_a_condition_reads_the_event_at_hand_and_the_entry_event(field, op, value, expected):
    assert true_of(field, op, value) is expected


@pytest.mark.parametrize(
    ("field", "op", "name", "expected"),
    [
        ("event.order_id", "eq", "order_id", True),
        ("event.order_id", "ne", "order_id", False),
        ("event.order_id", "eq", "missing", False),
        ("event.order_id", "ne", "missing", True),
        ("event.order_id", "eq", "total", False),
        ("favourite", "contains", "order_id", True),
        ("favourite", "not_contains", "missing", True),
        ("budget", "gt", "total", True),
        ("budget", "gt", "order_id", False),
        ("budget", "lt", "gift", False),
        ("paid_at", "after", "occurred_at", True),
        ("paid_at", "gt", "occurred_at", True),
        ("paid_at", "before", "total", False),
        ("email", "starts_with", "order_id", True),
        ("email", "eq", "total", False),
        ("email", "contains", "note", True),
        ("created_at", "before", "occurred_at", True),
        ("created_at", "after", "order_id", False),
        ("created_at", "eq", "total", False),
    ],
)
def test_a_value_may_be_taken_from_the_entry_event(field, op, name, expected):
    attributes = {"favourite": ["a-1", "B-2"], "budget": 50.5, "paid_at": "2026-03-04T11:00:00Z"}
    value = {"ref": f"trigger.{name}"}
    assert true_of(field, op, value, attributes=attributes, email="a-1@example.com") is expected


@pytest.mark.parametrize("attributes", [{}, {"thing": None}, {"thing": [None]}])
def test_a_null_in_the_entry_event_is_missing_and_equals_nothing(attributes):
    for op, expected in (("eq", False), ("ne", True), ("contains", False), ("not_contains", True)):
        assert true_of("thing", op, {"ref": "trigger.none"}, attributes=attributes) is expected


def test_a_missing_text_does_not_even_contain_the_empty_text_of_the_entry_event():
    assert true_of("email", "contains", {"ref": "trigger.note"}, email="") is False
    assert true_of("email", "starts_with", {"ref": "trigger.note"}, email="") is False


def test_an_enrolment_without_an_entry_event_has_nothing_to_refer_to():
    condition = parse({"field": "email", "op": "eq", "value": {"ref": "trigger.a"}}, scope=EVERYWHERE)
    assert holds_for(condition, NOW, contact={"email": "x"}, event={"type": "x"}, trigger={}) is False


def test_the_where_of_a_counted_event_speaks_of_that_event_and_may_refer_to_the_entry():
    contact_id = make_contact()
    for order in ("A-1", "B-2"):
        add_event(contact_id, "order_paid", NOW, properties={"order_id": order})
    same_order = {"field": "event.order_id", "op": "eq", "value": {"ref": "trigger.order_id"}}
    condition = parse({"event": "order_paid", "op": "eq", "count": 1, "where": same_order}, scope=EVERYWHERE)
    contact = {"id": contact_id}
    event = {"type": "order_paid", "properties": {"order_id": "C-3"}}  # which must not be mistaken for the counted one
    assert holds_for(condition, NOW, contact=contact, event=event, trigger=ENTRY) is True
    other = {**ENTRY, "properties": {"order_id": "C-3"}}
    assert holds_for(condition, NOW, contact=contact, event=event, trigger=other) is False


def test_a_batch_of_events_is_matched_by_one_statement_over_events_and_contacts():
    rich, poor = make_contact(attributes={"tier": "gold"}), make_contact(attributes={"tier": "tin"})
    events = [
        add_event(contact_id, "order_completed", NOW, properties={"total": total})
        for contact_id, total in ((rich, 60), (rich, 40), (poor, 60))
    ]
    tree = {"all": [{"field": "event.total", "op": "gt", "value": 50}, {"field": "tier", "op": "eq", "value": "gold"}]}
    condition = parse(tree, scope=frozenset({"contact", "event"}))
    text, params = compile_condition(condition, now=NOW, aliases=Aliases(contact="person", event="fact"))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT fact.id FROM unnest(%s::bigint[]) AS batch(event_id) "
            "JOIN contact_events AS fact ON fact.id = batch.event_id "
            f"JOIN contacts AS person ON person.id = fact.contact_id WHERE {text}",
            [events, *params],
        )
        assert [row[0] for row in cursor.fetchall()] == events[:1]


def test_a_cohort_of_enrolments_is_asked_by_one_statement_each_with_its_own_entry_event():
    contact_id = make_contact(attributes={"last_order": "A-1"})
    condition = parse({"field": "last_order", "op": "eq", "value": {"ref": "trigger.order_id"}}, scope=EVERYWHERE)
    text, params = compile_condition(condition, now=NOW)
    entries = [json.dumps({"properties": {"order_id": order}}) for order in ("A-1", "B-2")]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT t.number, {text} FROM unnest(%s::jsonb[]) WITH ORDINALITY AS t(trigger, number) "
            "JOIN contacts AS c ON c.id = %s ORDER BY 1",
            [*params, entries, contact_id],
        )
        assert cursor.fetchall() == [(1, True), (2, False)]
