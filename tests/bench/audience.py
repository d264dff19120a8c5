"""The data of the segments' bench: people with tags and sixty days of events, and ten segments of every kind."""

from __future__ import annotations

from typing import Any

# n is 1, 2, 3 …; the same n is the same person in every run
TAGS = """
INSERT INTO tags (name) VALUES ('vip');
INSERT INTO contact_tags (contact_id, tag_id, added_at)
SELECT c.id, tags.id, now() FROM contacts c, tags WHERE c.id %% 10 = 1
"""
# three events a person, in an order that is nobody's; an even spread over sixty days
EVENTS = """
INSERT INTO contact_events (contact_id, recorded_contact_id, type, occurred_at, recorded_at, properties, context,
                            source, processed, key_hash)
SELECT who, who, (ARRAY['visited', 'visited', 'bought', 'email_opened'])[1 + k %% 4], at, at,
       jsonb_build_object('total', k %% 300), '{}', 'api', true, '\\x00'
  FROM (SELECT k, 1 + k::bigint * 7919 %% %(people)s AS who,
               now() - (k::bigint * 104729 %% 5184000) * interval '1 second' AS at
          FROM generate_series(1, 3 * %(people)s) AS k) spread
"""
SEGMENTS: dict[str, dict[str, Any]] = {
    "pro": {"field": "plan", "op": "eq", "value": "pro"},
    "large": {
        "all": [
            {"field": "country", "op": "in", "value": ["DE", "FR"]},
            {"field": "company_size", "op": "gte", "value": 1000},
        ]
    },
    "directors": {"field": "job_title", "op": "contains", "value": "director"},
    "vip": {"has_tag": "vip"},
    "buyers": {"event": "bought", "op": "gte", "count": 2, "within": "P30D"},
    "big-buyers": {"event": "bought", "where": {"field": "event.total", "op": "gt", "value": 200}},
    "inactive": {"not": {"event": "visited", "within": "P30D"}},
    "new": {"field": "created_at", "op": "within_last", "value": "P30D"},
    "engaged": {
        "any": [
            {"event": "email_opened", "within": "P14D"},
            {"event": "visited", "op": "gte", "count": 3, "within": "P7D"},
        ]
    },
    "target": {"all": [{"in_segment": "pro"}, {"in_segment": "inactive"}, {"not": {"has_tag": "vip"}}]},
}
MOVED_BY_TIME = ("buyers", "inactive", "new", "engaged")  # and what asks about them
KINDS = ("visited", "bought", "email_opened")
