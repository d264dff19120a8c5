"""Other people's collections of bad input, through the API: never a fault of ours, and never a neighbour lost."""

from __future__ import annotations

import json

import pytest
from django.conf import settings

from contacts.models import ContactEvent, QuarantinedEvent
from tests.contacts.conftest import Api

FOLDER = settings.BASE_DIR.parent / "shared/vectors/bad_input"
SUITE = sorted((FOLDER / "jsontestsuite/test_parsing").glob("*.json"))
NAUGHTY: list[str] = json.loads((FOLDER / "blns.json").read_text("utf-8")) if (FOLDER / "blns.json").exists() else []

pytestmark = [pytest.mark.django_db, pytest.mark.skipif(not SUITE, reason="the shared vectors are not here")]


def good(name: str) -> bytes:
    return json.dumps({"type": "seen", "user_id": "neighbour", "event_id": name}).encode()


def test_each_file_as_the_whole_body_is_a_bad_request(api: Api):
    answers = {file.name: api.post_bytes(file.read_bytes()).status_code for file in SUITE}
    assert {name for name, status in answers.items() if status != 400} == set()
    assert len(answers) > 300


def test_each_file_as_an_event_among_others_is_rejected_alone_or_makes_the_body_no_json(api: Api):
    """What the suite calls valid JSON (y_) is an element that is no event; what it calls invalid (n_) breaks the body,
    unless it is a value that the reader replaces (a number like NaN or 1e400 is told at its place)."""
    neighbours = 0
    for file in SUITE:
        body = b'{"events": [%s, %s, %s]}' % (good(f"1 {file.name}"), file.read_bytes(), good(f"2 {file.name}"))
        answer = api.post_bytes(body)
        if file.name.startswith("y_"):
            assert answer.status_code == 202, file.name
        assert answer.status_code in {202, 400}, file.name
        if answer.status_code == 202:
            told = answer.json()
            assert told["accepted"] == 2, file.name
            assert {each["index"] for each in told["rejected"]} == set(range(1, len(told["rejected"]) + 1)), file.name
            assert told["rejected"], file.name
            neighbours += 2
    assert ContactEvent.objects.count() == neighbours > 150
    assert QuarantinedEvent.objects.count() >= neighbours / 2


def test_each_file_as_a_property_is_stored_as_it_is_or_refused(api: Api):
    for number, file in enumerate(SUITE):
        text = file.read_bytes()
        element = b'{"type": "vector", "user_id": "v", "event_id": %d, "properties": {"v": %s}}' % (number, text)
        answer = api.post_bytes(b'{"events": [' + element + b"," + good(file.name) + b"]}")
        assert answer.status_code in {202, 400}, file.name
        if answer.status_code == 202 and answer.json()["accepted"] == 2:
            newest = ContactEvent.objects.filter(type="vector").latest("id")
            assert as_floats(json.dumps(newest.properties["v"])) == as_floats(text), file.name


def as_floats(text: str | bytes) -> object:
    """PostgreSQL keeps 1.23e67 as a decimal, and gives it back as the whole number that it is."""
    return json.loads(text, parse_int=float)


FIELDS = {
    "type": lambda text: {"type": text, "user_id": "n"},
    "event_type": lambda text: {"event_type": text, "user_id": "n"},
    "user_id": lambda text: {"type": "x", "user_id": text},
    "external_id": lambda text: {"type": "x", "contact": {"external_id": text}},
    "email": lambda text: {"type": "x", "contact": {"email": text}},
    "anonymous_id": lambda text: {"type": "x", "contact": {"anonymous_id": text}},
    "phone": lambda text: {"type": "x", "contact": {"phone": text}},
    "event_id": lambda text: {"type": "x", "user_id": "n", "event_id": text},
    "occurred_at": lambda text: {"type": "x", "user_id": "n", "occurred_at": text},
    "timestamp": lambda text: {"type": "x", "user_id": "n", "timestamp": text},
    "region": lambda text: {"type": "x", "user_id": "n", "region": text},
    "a property": lambda text: {"type": "x", "user_id": "n", "properties": {"v": text}},
    "the name of a property": lambda text: {"type": "x", "user_id": "n", "payload": {text: 1}},
    "context": lambda text: {"type": "x", "user_id": "n", "context": {"timezone": text, "region": text, text: text}},
    "metadata": lambda text: {"type": "x", "user_id": "n", "metadata": {"consent": text}},
    "the contact": lambda text: {"type": "x", "contact": text},
    "an unknown field": lambda text: {"type": "x", "user_id": "n", text: text},
    "the element": lambda text: text,
}


@pytest.mark.parametrize("field", FIELDS)
def test_naughty_strings_in_every_field(api: Api, field):
    elements = [FIELDS[field](text) for text in NAUGHTY]
    for number, element in enumerate(elements):
        if isinstance(element, dict):
            element.setdefault("event_id", f"naughty {number}")
    batch = [json.dumps(element).encode() for element in elements]
    answer = api.post_bytes(b'{"events": [%s]}' % b",".join([good("first"), *batch, good("last")]))
    assert answer.status_code == 202, answer.content[:500]
    told = answer.json()
    assert told["accepted"] + told["duplicates"] + len(told["rejected"]) == len(NAUGHTY) + 2
    assert not {0, len(NAUGHTY) + 1} & {each["index"] for each in told["rejected"]}
    assert ContactEvent.objects.count() == told["accepted"]
    if field in {"a property", "the name of a property", "context"}:
        assert told["rejected"] == []
    if field == "a property":
        kept = ContactEvent.objects.filter(type="x").order_by("id").values_list("properties", flat=True)
        assert [properties["v"] for properties in kept] == NAUGHTY


@pytest.mark.parametrize("text", ["urgent ", "BULK", *NAUGHTY[:40]])
def test_naughty_strings_as_the_envelope(api: Api, text):
    for envelope in ({"lane": text}, {"sent_at": text}):
        if text:
            assert api.post_bytes(json.dumps({"events": [], **envelope}).encode()).status_code == 400
    assert api.post_bytes(json.dumps({text: [], "events": [{"type": "x", "user_id": "n"}]}).encode()).status_code == 202
