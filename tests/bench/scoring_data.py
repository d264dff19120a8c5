"""The data of the scoring bench: people, a year of what they did, and two rulesets of eight rules."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg

from contacts.partitions import create_month_sql, months_from
from tests.bench import journey

NOW = datetime.fromisoformat("2026-07-01T12:00:00+00:00")
DAYS = 365
EVENTS_EACH = 10

# A few people do much and many do little; random() follows the seed, so each run makes the same log. `rank` picks the
# kind of event: nearly half are page views, a third are facts about mail that no rule counts.
_EVENTS = """
INSERT INTO contact_events (contact_id, recorded_contact_id, type, occurred_at, recorded_at, properties, context,
                            source, processed, key_hash)
SELECT who, who, type, at, at + interval '2 seconds',
       CASE WHEN type IN ('email_opened', 'email_clicked')
            THEN jsonb_build_object('message_id', k, 'workflow', 'onboarding', 'template', 'welcome')
                 || CASE WHEN k %% 10 < 3 THEN '{"is_machine": true}' ELSE '{}' END::jsonb
            WHEN type = 'form_submitted'
            THEN jsonb_build_object('form', (ARRAY['newsletter', 'demo', 'contact'])[1 + k %% 3], 'page', '/forms')
            ELSE jsonb_build_object('path', '/page/' || k %% 1000, 'title', 'Page number ' || k %% 1000) END,
       '{}', 'api', k %% 33 > 0, int8send(k)
  FROM (SELECT k, 1 + floor(%(people)s * power(random(), 1.5))::bigint AS who, random() AS rank,
               %(now)s::timestamptz - random() * %(days)s * interval '1 day' AS at
          FROM generate_series(1, %(events)s::bigint) AS k OFFSET 0) drawn
 CROSS JOIN LATERAL (SELECT CASE
       WHEN rank < 0.45 THEN 'page_viewed' WHEN rank < 0.57 THEN 'email_sent' WHEN rank < 0.69 THEN 'email_delivered'
       WHEN rank < 0.79 THEN 'email_opened' WHEN rank < 0.87 THEN 'product_used' WHEN rank < 0.91 THEN 'email_clicked'
       WHEN rank < 0.94 THEN 'form_submitted' WHEN rank < 0.97 THEN 'cart_updated'
       WHEN rank < 0.985 THEN 'webinar_attended' WHEN rank < 0.99 THEN 'trial_started'
       ELSE 'email_unsubscribed' END AS type) kind
"""
_INDEXES = """
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
 WHERE i.indrelid = 'contact_events'::regclass AND NOT i.indisprimary
"""


def fill(database: psycopg.Connection[Any], people: int) -> None:
    """People and their events; the indexes of the log are built when the log is there, as the product defines them."""
    database.execute(journey.CONTACTS, [people])
    indexes = database.execute(_INDEXES).fetchall()
    for name, _ in indexes:
        database.execute(f"DROP INDEX {name}")
    for year, month in months_from(NOW - timedelta(days=DAYS + 1), 14):
        if database.execute("SELECT to_regclass(%s)", [f"contact_events_{year}_{month:02d}"]).fetchone() == (None,):
            database.execute(create_month_sql(year, month))
    database.execute("SELECT setseed(0.25)")
    figures = {"people": people, "events": EVENTS_EACH * people, "now": NOW, "days": DAYS}
    database.execute(_EVENTS, figures)
    for _, definition in indexes:
        database.execute(definition.replace(" ON ONLY ", " ON "))  # with all the partitions
    database.execute("VACUUM ANALYZE contact_events")
    database.execute("VACUUM ANALYZE contacts")


# The same rules for the peers. `asked`: the form that has to be sent; `people`: whether machines do not count.
_JOINED = """
CREATE TABLE joined_rules (id int, type text, points float8, curve text, seconds float8, cap float8, people boolean,
                           asked text);
INSERT INTO joined_rules VALUES
 (1, 'page_viewed', 1, 'half_life', 14 * 86400, NULL, false, NULL),
 (2, 'product_used', 3, 'half_life', 7 * 86400, 30, false, NULL),
 (3, 'email_opened', 2, 'half_life', 30 * 86400, NULL, true, NULL),
 (4, 'email_clicked', 5, 'half_life', 30 * 86400, NULL, true, NULL),
 (5, 'form_submitted', 25, 'half_life', 60 * 86400, NULL, false, 'demo'),
 (6, 'trial_started', 40, 'linear', 60 * 86400, NULL, false, NULL),
 (7, 'email_unsubscribed', -20, 'none', 1, NULL, false, NULL);
"""
JOIN = """
SELECT contact_id, sum(points) AS score FROM (
    SELECT e.contact_id, GREATEST(-r.cap, LEAST(r.cap, sum(r.points * CASE r.curve
               WHEN 'half_life' THEN power(2, (-extract(epoch FROM {at} - e.occurred_at) / r.seconds)::float8)
               WHEN 'linear' THEN GREATEST(0, 1 - extract(epoch FROM {at} - e.occurred_at) / r.seconds)
               ELSE 1 END))) AS points
      FROM contact_events e JOIN joined_rules r ON r.type = e.type
     WHERE e.processed AND e.occurred_at <= {at}
       AND (NOT r.people OR e.properties ->> 'is_machine' IS DISTINCT FROM 'true')
       AND (r.asked IS NULL OR e.properties ->> 'form' = r.asked)
     GROUP BY e.contact_id, r.id, r.cap
    UNION ALL
    SELECT id, 15 FROM contacts
     WHERE attributes ->> 'job_title' ILIKE '%director%' AND merged_into_id IS NULL AND erased_at IS NULL) gained
 GROUP BY contact_id ORDER BY score DESC, contact_id LIMIT 100
""".replace("{at}", f"timestamptz '{NOW.isoformat()}'")
# What DuckDB gets into its memory before its turn begins: the columns that the rules ask for, taken out of JSON.
EVENTS_FOR_DUCKDB = """
COPY (SELECT contact_id, type, extract(epoch FROM occurred_at)::float8 AS at, processed,
             COALESCE(properties ->> 'is_machine' = 'true', false) AS machine, properties ->> 'form' AS form
        FROM contact_events) TO STDOUT (FORMAT csv, HEADER)
"""
PEOPLE_FOR_DUCKDB = (
    "COPY (SELECT id, attributes ->> 'job_title' AS job_title FROM contacts) TO STDOUT (FORMAT csv, HEADER)"
)


def write_rules(database: psycopg.Connection[Any]) -> None:
    """For the join. (Ours are activated by the product.)"""
    database.execute(_JOINED)
    database.execute("ANALYZE joined_rules")


RULES: list[dict[str, Any]] = [
    {"name": "Viewed a page", "signal": {"event": "page_viewed"}, "points": 1,
     "decay": {"type": "half_life", "period": "P14D"}},
    {"name": "Used the product", "signal": {"event": "product_used"}, "points": 3, "cap": 30,
     "decay": {"type": "half_life", "period": "P7D"}},
    {"name": "Opened a mail", "signal": {"event": "email_opened"}, "points": 2,
     "decay": {"type": "half_life", "period": "P30D"}},
    {"name": "Clicked in a mail", "signal": {"event": "email_clicked"}, "points": 5,
     "decay": {"type": "half_life", "period": "P30D"}},
    {"name": "Asked for a demo", "points": 25, "decay": {"type": "half_life", "period": "P60D"},
     "signal": {"event": "form_submitted", "where": {"field": "event.form", "op": "eq", "value": "demo"}}},
    {"name": "Started a trial", "signal": {"event": "trial_started"}, "points": 40,
     "decay": {"type": "linear", "period": "P60D"}},
    {"name": "Unsubscribed", "signal": {"event": "email_unsubscribed"}, "points": -20},
    {"name": "Directs something", "points": 15,
     "signal": {"field": "job_title", "op": "contains", "value": "director"}},
]  # fmt: skip
