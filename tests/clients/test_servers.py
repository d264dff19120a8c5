"""The clients of servers: every message is stored once, as what it is, of whom it is, when it was; also where answers
are lost and the client sends again."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from tests.clients.conftest import Way, run
from tests.contacts.collect.segment import counted, make_write_key, named, rows, user

AT = datetime(2025, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)
SEGMENT_PYTHON, RUDDER_PYTHON, SEGMENT_NODE = "segment_python.py", "rudder_python.py", "segment_node.mjs"


@pytest.mark.parametrize(
    ("program", "packing", "kind"),
    [
        (SEGMENT_PYTHON, "plain", "server"),
        (SEGMENT_PYTHON, "gzip", "browser"),
        (RUDDER_PYTHON, "gzip", "server"),
        (RUDDER_PYTHON, "plain", "browser"),
        (SEGMENT_NODE, "plain", "server"),
        (SEGMENT_NODE, "plain", "browser"),
    ],
)
def test_every_message_is_stored_once(web: str, program: str, packing: str, kind: str) -> None:
    run(program, web, make_write_key(kind), packing)
    _holds("segment" if kind == "server" else "browser")
    assert "duplicate" not in counted()


@pytest.mark.parametrize("program", [SEGMENT_PYTHON, RUDDER_PYTHON, SEGMENT_NODE])
def test_what_is_sent_again_is_a_duplicate(way: tuple[str, Way], program: str) -> None:
    url, between = way
    between.losing = 2
    run(program, url, make_write_key("server"), "gzip")
    assert between.lost == 2
    _holds("segment")
    assert counted()["duplicate"] >= 2


def _holds(source: str) -> None:
    ada = user("ada")
    assert (ada.email, ada.attributes) == ("ada@example.com", {"plan": "pro"})
    assert {named("anonymous_id", device) for device in ("device", "old device")} == {ada}
    types = rows("SELECT type FROM contact_events WHERE contact_id = %s", ada.pk)
    assert Counter(type for (type,) in types) == {
        "Product Viewed": 1,
        "contact_identified": 1,
        "page_viewed": 1,
        "screen_viewed": 1,
        "group_joined": 1,
        "contact_aliased": 1,
        "Song Played": 250,
    }
    assert rows("SELECT count(*), count(DISTINCT properties) FROM contact_events WHERE type = 'Song Played'") == [
        (250, 250)
    ]
    assert rows("SELECT DISTINCT occurred_at, source FROM contact_events") == [(AT, source)]
    ((page,),) = rows("SELECT properties FROM contact_events WHERE type = 'page_viewed'")
    assert '"category": "Docs"' in page
    assert '"name": "Home"' in page
    assert counted()["accepted"] == 256
