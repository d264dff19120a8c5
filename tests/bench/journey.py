"""The data of the engine's bench: people with twelve attributes, and a journey of six branches, joined after each."""

from __future__ import annotations

from typing import Any

STEPS = 6

# n is 1, 2, 3 …; the same n is the same person in every run
CONTACTS = """
INSERT INTO contacts (id, external_id, email, attributes, timezone, locale, region)
SELECT n, 'bench-' || n, 'bench-' || n || '@example.com',
       jsonb_build_object(
           'plan', (ARRAY['free', 'trial', 'pro', 'team'])[1 + n %% 4],
           'country', (ARRAY['DE', 'FR', 'GB', 'US', 'JP', 'BR', 'IN'])[1 + n %% 7],
           'seats', n * 37 %% 200,
           'job_title', (ARRAY['Engineer', 'Director of Sales', 'Founder', 'Brand director', 'Analyst'])[1 + n %% 5],
           'company_size', n::bigint * 7919 %% 5000,
           'industry', (ARRAY['retail', 'software', 'health'])[1 + n %% 3],
           'mrr', round((n::bigint * 104729 %% 100000) / 100.0, 2),
           'first_name', 'Person ' || n,
           'newsletter', n %% 2 = 0,
           'signup_source', (ARRAY['ads', 'search', 'friend', 'event'])[1 + n / 4 %% 4],
           'last_login_days', n * 31 %% 400,
           'notes', repeat(md5(n::text), 4)),
       'Europe/Berlin', 'en', ''
  FROM generate_series(1, %s) AS n
"""


def definition() -> dict[str, Any]:
    conditions = [
        {"field": "plan", "op": "eq", "value": "pro"},
        {"field": "country", "op": "in", "value": ["DE", "FR", "GB"]},
        {"field": "seats", "op": "gte", "value": 100},
        {"field": "job_title", "op": "contains", "value": "director"},
        {"any": [{"field": "company_size", "op": "gte", "value": 1000}, {"field": "mrr", "op": "gte", "value": 500}]},
        {"all": [{"field": "industry", "op": "eq", "value": "software"}, {"field": "seats", "op": "gte", "value": 20}]},
    ]
    assert len(conditions) == STEPS
    steps = {}
    for number, condition in enumerate(conditions, 1):
        following = f"branch-{number + 1}" if number < STEPS else None
        steps[f"branch-{number}"] = {
            "type": "branch",
            "config": {"arms": [{"key": "yes", "if": condition}]},
            "next": {"yes": following, "else": following},
        }
    return {
        "schema": 1,
        "name": "Bench of the engine",
        "slug": "bench-engine",
        "entry": {"trigger": {"type": "event", "event": "bench_started"}},
        "start": "branch-1",
        "steps": steps,
    }
