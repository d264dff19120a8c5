"""One Kafka message is one event, read as strictly as at the other doors."""

import json

import pytest

from contacts.collect.kafka.messages import Message, Said, read
from contacts.identifiers import Identifiers

EVENT = {"type": "signed_up", "contact": {"external_id": "ada"}}


def message(value, *headers) -> Message:
    raw = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
    return Message("marketing.events", 3, 17, raw, headers)


def test_it_says_an_event_as_the_api_reads_it():
    said = read(message({**EVENT, "event_id": "e1", "properties": {"plan": "trial"}}))
    assert isinstance(said, Said)
    assert (said.event.type, said.event.key, said.lane) == ("signed_up", "e1", "urgent")
    assert said.event.contact == Identifiers(external_id="ada")
    assert said.event.properties == {"plan": "trial"}


def test_the_envelope_of_other_producers_is_understood():
    said = read(message({"event_type": "signed_up", "user_id": 7, "timestamp": 1772625600000, "payload": {"a": 1}}))
    assert (said.event.type, said.event.contact.external_id) == ("signed_up", "7")
    assert said.event.occurred_at.isoformat() == "2026-03-04T12:00:00+00:00"


@pytest.mark.parametrize(
    "bulk",
    [
        message({**EVENT, "lane": "bulk"}),
        message(EVENT, ("lane", b"bulk")),
        message(EVENT, ("lane", "bulk")),
        message(EVENT, ("lane", b"urgent"), ("lane", b"bulk")),
        message({**EVENT, "lane": "urgent"}, ("other", b"x"), ("lane", b"bulk")),
    ],
)
def test_the_lane_is_named_by_a_header_or_else_by_a_member(bulk):
    assert read(bulk).lane == "bulk"


@pytest.mark.parametrize("empty", [message({**EVENT, "lane": None}), message(EVENT, ("lane", None))])
def test_no_lane_is_the_urgent_one(empty):
    assert read(empty).lane == "urgent"


def test_a_tombstone_says_nothing():
    assert read(message(None)) is None


@pytest.mark.parametrize(
    ("value", "codes"),
    [
        (b"\xff\xfe", ["syntax"]),
        (b"", ["syntax"]),
        (b'{"type": "signed_up"', ["syntax"]),
        ([EVENT], ["type"]),
        ({"contact": {"external_id": "ada"}}, ["missing"]),
        ({"type": "signed_up"}, ["missing"]),
        (b'{"type": "a", "contact": {"external_id": "b"}, "properties": {"x": NaN}}', ["not_finite"]),
        ({**EVENT, "lane": "fast"}, ["choice"]),
        ({"events": [EVENT]}, ["missing", "missing"]),
    ],
)
def test_what_cannot_be_taken_says_why(value, codes):
    assert [fault.code for fault in read(message(value))] == codes


def test_its_origin_tells_where_it_lies():
    assert message(EVENT).origin == "marketing.events/3/17"
