"""What PostgreSQL does with a compiled ruleset, at a size where a scan of the event log would show."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import clock, partitions
from scoring.projection import explanation, history, scores
from scoring.rulesets import reading
from tests.scoring.conftest import rule

pytestmark = pytest.mark.django_db

CONTACTS, EVENTS = 4_000, 20_000
BIG = {"field": "event.size", "op": "gte", "value": 5}
SIMPLE = [
    rule("visited", 5, decay={"type": "half_life", "period": "P30D"}, cap=50, group="web"),
    rule("asked", 7, decay={"type": "step", "period": "P9D"}, repeat={"policy": "once"}),
    {"name": "pro", "signal": {"field": "plan", "op": "eq", "value": "pro"}, "points": 5},
]
RICH = [
    *SIMPLE,
    rule("visited", 2, repeat={"policy": "once_per", "period": "P1D"}),
    {"name": "often", "signal": {"event": "asked", "op": "gte", "count": 3, "within": "P30D"}, "points": 5},
    {
        "name": "big",
        "signal": {"event": "asked", "where": {"field": "event.size", "op": "gte", "value": 5}},
        "points": 1,
    },
]
LATELY = [{"name": "lately", "signal": {"event": "visited", "within": "P7D"}, "points": 5}]

QUESTIONS: dict[str, Callable[[list[int], datetime], Any]] = {
    "one": lambda ids, now: scores.of(contact_ids=ids[:1], at=now),
    "batch": lambda ids, now: scores.of(contact_ids=ids[:500], at=now),
    "explanation": lambda ids, now: explanation.explain(ids[0], now),
    "curve": lambda ids, now: history.curve(ids[0], since=now - timedelta(days=60), until=now + timedelta(days=30)),
}


@pytest.fixture
def now(db) -> datetime:
    """The real one: the partitions were made around it."""
    return clock.now()


@pytest.fixture
def people(now) -> list[int]:
    """Contacts with events over three months, each month in its partition."""
    partitions.make_ahead(now=now - timedelta(days=70), months=5)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts (email) SELECT 'c' || n || '@example.com' FROM generate_series(1, %s) n RETURNING id",
            [CONTACTS],
        )
        ids = [contact_id for (contact_id,) in cursor.fetchall()]
        cursor.execute(
            "INSERT INTO contact_events (contact_id, recorded_contact_id, type, occurred_at, recorded_at, properties, "
            "source, processed, key_hash) SELECT contact_id, contact_id, "
            "CASE WHEN n %% 4 = 0 THEN 'asked' ELSE 'visited' END, at, at, jsonb_build_object('size', n %% 10), 'api', "
            "true, '' FROM generate_series(1, %s) AS n, LATERAL (SELECT (%s::bigint[])[1 + n %% %s], "
            "%s::timestamptz - (n %% 70) * interval '1 day') AS made(contact_id, at)",
            [EVENTS, ids, CONTACTS, now],
        )
        cursor.execute("ANALYZE contacts, contact_events")
    return ids


def plans(ask: Callable[[], Any]) -> Iterator[dict[str, Any]]:
    """Every node of the plans of the statements that a question sends."""
    with CaptureQueriesContext(connection) as queries:
        ask()
    with connection.cursor() as cursor:
        for query in queries:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {query['sql']}")
            found = cursor.fetchone()[0]
            nodes = [(json.loads(found) if isinstance(found, str) else found)[0]["Plan"]]
            for node in nodes:
                nodes.extend(node.get("Plans", []))
            yield from nodes


def months_with_events() -> set[str]:
    """An empty partition may well be looked through."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tableoid::regclass::text FROM contact_events")
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.parametrize("rules", [SIMPLE, RICH], ids=["simple", "rich"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_reads_the_event_log_from_end_to_end(people, now, activated, question, rules):
    activated(*rules, groups=[{"name": "web", "cap": 40}], cap=100)
    nodes = list(plans(lambda: QUESTIONS[question](people, now)))
    filled = months_with_events()
    read = [node for node in nodes if node.get("Relation Name") in filled]
    assert len(filled) > 1 and {node["Relation Name"] for node in read} == filled
    assert [node["Relation Name"] for node in read if node["Node Type"] == "Seq Scan"] == []


def test_simple_rules_cost_neither_a_sort_nor_a_window(people, now, activated):
    activated(*SIMPLE, groups=[{"name": "web", "cap": 40}])
    under = reading.active_ruleset("lead")
    kinds = {node["Node Type"] for node in plans(lambda: scores.under(under, contact_ids=people[:500], at=now))}
    assert not kinds & {"Sort", "Incremental Sort", "WindowAgg", "Function Scan"}


def test_rules_that_look_back_a_week_do_not_open_the_months_before(people, now, activated):
    activated(*LATELY)
    nodes = list(plans(lambda: scores.of(contact_ids=people[:500], at=now)))
    opened = {node.get("Relation Name") for node in nodes} & months_with_events()
    assert opened == {
        name for name in months_with_events() if name >= f"contact_events_{now - timedelta(days=9):%Y_%m}"
    }
