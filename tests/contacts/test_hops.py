"""The header that says how many journeys and calls led to a request: read at every door, kept with the events."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import hops, transactions
from contacts.audiences import tags
from contacts.models import ContactEvent
from tests import journeys
from tests.contacts.collect.segment import Producer, make_write_key
from tests.contacts.conftest import make_key

pytestmark = pytest.mark.django_db(transaction=True)

SIGNED_UP = {"type": "signed_up", "contact": {"external_id": "u1"}}


def send(client, *events: dict, said: str | None = None):
    """`said`: the header."""
    body = json.dumps({"events": list(events) or [SIGNED_UP]})
    headers = {"Authorization": f"Bearer {make_key('events:write')}"} | ({} if said is None else {hops.HEADER: said})
    return client.post("/api/v1/events", body, content_type="application/json", headers=headers)


@pytest.mark.parametrize(
    ("header", "number"),
    [
        ("0", 0),
        ("1", 1),
        (" 7 ", 7),
        ("007", 7),
        ("3, 5", 5),
        ("3, x", 3),
        ("99999", 1000),
        ("9" * 6000, 1000),
        ("", 0),
        ("-1", 0),
        ("1.5", 0),
        ("1e3", 0),
        ("٣", 0),
        ("²", 0),
        ("three", 0),
        ("3;4", 0),
    ],
)
def test_a_header_says_a_number_or_nothing(header, number):
    assert hops.read(header) == number


@pytest.mark.parametrize("value", [True, -1, 0, 1.5, "3", None, [3], {"n": 3}])
def test_a_context_that_holds_no_such_number_holds_none(value):
    assert hops.stated({hops.KEY: value}) == 0


def test_only_our_own_events_say_which_journeys_led_to_them():
    context = {hops.KEY: 2, "via": ["a", "b"]}
    assert (hops.count(context, own=True), hops.count(context, own=False)) == (4, 2)
    assert hops.count({"via": "a"}, own=True) == hops.count({"via": [1]}, own=True) == 0


def test_the_number_is_kept_with_every_event_of_the_request(client):
    answer = send(client, SIGNED_UP, {**SIGNED_UP, "type": "paid", "context": {"page": {"path": "/"}}}, said="3")
    assert answer.status_code == 202
    assert list(ContactEvent.objects.order_by("pk").values_list("context", flat=True)) == [
        {"carillon_hops": 3},
        {"page": {"path": "/"}, "carillon_hops": 3},
    ]


@pytest.mark.parametrize(
    ("header", "stated", "kept"),
    [("2", 6, 6), ("6", 2, 6), ("2", "x", 2), ("x", "x", "x"), ("0", 4, 4)],
)
def test_the_larger_of_header_and_context_counts_and_what_is_neither_is_left_as_it_came(client, header, stated, kept):
    send(client, {**SIGNED_UP, "context": {"carillon_hops": stated}}, said=header)
    assert ContactEvent.objects.get().context == {"carillon_hops": kept}


@pytest.mark.parametrize("header", ["", "x", "-4", "\x7f", "ü"])
def test_a_malformed_header_refuses_nothing(client, header):
    assert send(client, said=header).json()["accepted"] == 1
    assert ContactEvent.objects.get().context == {}


def test_a_request_without_it_leaves_contexts_alone_and_one_with_it_costs_no_statement_more(client):
    events = [{**SIGNED_UP, "event_id": f"{n}"} for n in range(20)]
    costs = []
    for turn, said in enumerate((None, None, "3")):
        with CaptureQueriesContext(connection) as queries:
            send(client, *({**event, "event_id": f"{turn}-{event['event_id']}"} for event in events), said=said)
        costs.append(len(queries))
    assert costs[1] == costs[2]
    assert ContactEvent.objects.filter(context={}).count() == 40


def test_the_doors_of_segment_read_it_too():
    server = Producer(make_write_key("server"))
    body = {"type": "track", "userId": "ada", "event": "Order Completed", "messageId": "m1"}
    assert server.post("/v1/track", body, Carillon_Hops="4").status_code == 200
    assert server.post("/v1/batch", {"batch": [{**body, "messageId": "m2"}]}, Carillon_Hops="5").status_code == 200
    found = ContactEvent.objects.filter(type="Order Completed").order_by("pk")
    assert [event.context["carillon_hops"] for event in found] == [4, 5]


def test_a_fact_that_a_request_brings_about_is_one_more_of_its_chain():
    contact = journeys.contact()
    with hops.arriving("5"):
        transactions.run(lambda now: tags.add_tag(contact_ids=[contact.pk], tag="vip", source="api", now=now))
    transactions.run(lambda now: tags.add_tag(contact_ids=[contact.pk], tag="new", source="api", now=now))
    assert list(ContactEvent.objects.order_by("pk").values_list("context", flat=True)) == [{"carillon_hops": 5}, {}]
    assert hops.of_request() == 0
