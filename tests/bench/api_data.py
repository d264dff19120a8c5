"""The data of the API's bench, and where a page begins. Contact n is `bench-n`, and has the id n."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import psycopg

from tests.bench import journey

PAGE = 50
RARE, COMMON, EARLY = "vip", "customer", "early"  # who have them: one in a hundred, every second, the first tenth
TOLD, ENTRIES = 10_000, 30  # so many have a past, of so many events
WORKFLOW: dict[str, Any] = {
    "workflow": {
        "schema": 1,
        "name": "Bench of the API",
        "slug": "bench-api",
        "entry": {"trigger": {"type": "api"}, "re_entry": {"policy": "every_time"}},
        "start": "pause",
        "steps": {"pause": {"type": "wait", "config": {"mode": "duration", "for": "P1D"}, "next": {"next": None}}},
    },
    "templates": [{"slug": "bench", "name": "Bench", "subject": "Hello", "html": "<p>Hello</p>", "text": "Hello"}],
}
# {people} and {told} are numbers
_FILL = """
INSERT INTO contact_identities (kind, value, contact_id, first_seen_at)
SELECT 'external_id', external_id, id, now() FROM contacts;
INSERT INTO contact_identities (kind, value, contact_id, first_seen_at) SELECT 'email', email, id, now() FROM contacts;
SELECT setval(pg_get_serial_sequence('contacts', 'id'), max(id)) FROM contacts;
INSERT INTO tags (name) VALUES ('{rare}'), ('{common}'), ('{early}');
INSERT INTO contact_tags (contact_id, tag_id, added_at)
SELECT c.id, t.id, now() FROM contacts c JOIN tags t
    ON CASE t.name WHEN '{rare}' THEN c.id % 100 = 0 WHEN '{common}' THEN c.id % 2 = 0 ELSE c.id <= {people} / 10 END;
INSERT INTO contact_events (contact_id, recorded_contact_id, type, occurred_at, recorded_at, properties, context,
                            source, processed, key_hash)
SELECT who, who, (ARRAY['page_viewed', 'form_submitted', 'cart_updated'])[1 + k % 3], at, at,
       jsonb_build_object('path', '/page/' || k), '{{}}', 'api', true, int8send(who * 100 + k)
  FROM generate_series(1, {told}::bigint) AS who, generate_series(1, {entries}) AS k,
       LATERAL (SELECT now() - (who % 60 + k * 60) * interval '1 second' AS at) instant;
INSERT INTO messages (contact_id, channel, template_version_id, message_class, topic, lane, idempotency_key, context,
                      created_at)
SELECT n, 'email', t.live_version_id, 'marketing', '', 'urgent', 'bench:' || n,
       '{{"about": {{"workflow": "bench-api", "step": "hello"}}}}', now()
  FROM templates t, generate_series(1, {people} / 5) AS n;
INSERT INTO contact_send_log (message_id, contact_id, channel, kind, attempt, provider, at)
SELECT id, contact_id, 'email', kind, 1, 'sandbox', now()
  FROM messages, unnest(ARRAY['claimed', 'accepted']) WITH ORDINALITY AS said (kind, position) ORDER BY position, id;
VACUUM ANALYZE;
CHECKPOINT
"""


def fill(database: psycopg.Connection[Any], people: int) -> None:
    database.execute(journey.CONTACTS, [people])
    told = min(TOLD, people)
    names = {"rare": RARE, "common": COMMON, "early": EARLY}
    for statement in _FILL.format(people=people, told=told, entries=ENTRIES, **names).split(";\n"):
        database.execute(statement.encode())


def cursor(contact_id: int) -> str:
    """Of the page whose first contact comes after that one, as the API gives it in `next`."""
    return quote(base64.b64encode(f"p={contact_id}".encode()).decode())


def named(contact_id: int) -> bytes:
    """How the answers of both name a contact."""
    return b'"external_id":"bench-%d"' % contact_id
