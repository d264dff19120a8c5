"""The people of a drill: contacts with an e-mail address and a few attributes, written straight into the tables."""

from __future__ import annotations

import psycopg

# n is 1, 2, 3 …; the same n is the same person in every run
CONTACTS = """
INSERT INTO contacts (id, external_id, email, attributes, timezone)
SELECT n, 'drill-' || n, 'drill-' || n || '@example.com',
       jsonb_build_object('plan', (ARRAY['free', 'pro', 'trial'])[1 + n %% 3],
                          'country', (ARRAY['DE', 'FR', 'GB', 'US'])[1 + n %% 4]),
       'Europe/Berlin'
  FROM generate_series(1, %s) AS n
"""
IDENTITIES = """
INSERT INTO contact_identities (kind, value, contact_id, first_seen_at)
SELECT kind, CASE kind WHEN 'email' THEN email ELSE external_id END, id, now()
  FROM contacts, (VALUES ('email'), ('external_id')) AS k(kind)
"""


def settle(connection: psycopg.Connection, count: int) -> None:
    connection.execute(CONTACTS, [count])
    connection.execute(IDENTITIES)
    connection.execute("SELECT setval(pg_get_serial_sequence('contacts', 'id'), %s)", [count])


def plan_of(n: int) -> str:
    return ("free", "pro", "trial")[n % 3]


def country_of(n: int) -> str:
    return ("DE", "FR", "GB", "US")[n % 4]


def external_id(n: int) -> str:
    return f"drill-{n}"


def address(n: int) -> str:
    return f"drill-{n}@example.com"


# one mail to everybody, then the next to everybody: the queue holds more for whoever unsubscribes
MESSAGES = """
INSERT INTO messages (contact_id, channel, template_version_id, message_class, topic, override_cap, lane,
                      idempotency_key, created_at)
SELECT c.id, 'email', t.live_version_id, 'marketing', '', true, 'urgent', 'drill:' || mail || ':' || c.id, now()
  FROM templates t, generate_series(1, %s) AS mail, contacts c
 ORDER BY mail, c.id
"""
OUTBOX = """
INSERT INTO outbox (message_id, lane, priority, contact_id, due_at)
SELECT id, lane, priority, contact_id, created_at FROM messages ORDER BY id
"""
# `delivery.addresses.key`: as if everybody had been written to before. Who makes an address's row holds it until the
# commit, so a first mail is guarded by that alone, and a drill would prove nothing about the gate's own locks.
ADDRESSES = """
INSERT INTO addresses (channel, key_hash, shown, created_at)
SELECT 'email', sha256(convert_to('email:' || email, 'UTF8')), email, now() FROM contacts
"""


def queue_mails(connection: psycopg.Connection, mails: int) -> None:
    """`mails` messages to every contact, of the only template, waiting in the outbox."""
    connection.execute(ADDRESSES)
    connection.execute(MESSAGES, [mails])
    connection.execute(OUTBOX)
