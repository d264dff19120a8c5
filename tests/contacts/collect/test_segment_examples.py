"""Every example of Segment's own documentation is taken, or refused for what is missing in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.conf import settings

from tests.contacts.collect.segment import Producer, counted, make_write_key, quarantined, rows

pytestmark = pytest.mark.django_db

FILE = Path(settings.BASE_DIR).parent / "shared" / "vectors" / "segment_spec_examples.json"
EXAMPLES = json.loads(FILE.read_text(encoding="utf-8"))["examples"] if FILE.exists() else []
TYPES = {
    "track": "",  # its own
    "page": "page_viewed",
    "screen": "screen_viewed",
    "identify": "contact_identified",
    "group": "group_joined",
    "alias": "contact_aliased",
}


def kind_of(example: dict) -> str:
    """Where the body does not say it, the heading of the example does."""
    body = example["body"]
    said = body.get("type") or body.get("action") or example["section"].lower()
    return said if said in TYPES else "identify"  # "Selecting destinations" shows an identify


def name(example: dict) -> str:
    return f"{Path(example['file']).stem} {example['section']} {kind_of(example)}"


@pytest.mark.skipif(not EXAMPLES, reason="there are no examples here")
@pytest.mark.parametrize("example", EXAMPLES, ids=name)
def test_an_example_is_taken_as_it_stands(example):
    producer = Producer(make_write_key("server"))
    producer.headers = {}
    body = {**example["body"], "writeKey": producer.key}
    messages = body.get("batch", [body])
    kind = "" if "batch" in body else kind_of(example)
    response = producer.post(f"/v1/{kind or 'batch'}", body)
    named = {"userId", "user_id", "anonymousId"}
    if not any(named & message.keys() for message in messages):
        assert (response.status_code, response.json()["code"]) == (
            400,
            "missing" if kind == "alias" else "no_user_anon_id",
        )
        return
    assert (response.status_code, response.content) == (200, b'{"success": true}'), response.content
    assert quarantined() == []
    assert counted()["accepted"] == len(messages)
    kinds = [kind or message["type"] for message in messages]
    assert [type for (type,) in rows("SELECT type FROM contact_events ORDER BY id")] == [
        TYPES[kind] or message["event"] for kind, message in zip(kinds, messages, strict=True)
    ]
