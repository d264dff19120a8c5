"""What PostgreSQL does with a compiled condition, at a size where a scan of the event log would show."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import pytest
from django.db import connection

from contacts import clock, partitions
from contacts.conditions import compile_condition, parse

pytestmark = pytest.mark.django_db

CONTACTS, EVENTS = 4_000, 20_000
BIG = {"field": "event.total", "op": "gt", "value": 50}
QUESTIONS = [
    {"event": "order_completed"},
    {"event": "order_completed", "op": "eq", "count": 0},
    {"event": "order_completed", "op": "gte", "count": 3, "within": "P30D"},
    {"event": "order_completed", "op": "lt", "count": 2, "where": BIG},
    {"event": "email_opened", "within": "P7D", "message": {"workflow": "onboarding"}},
    {"not": {"event": "email_opened", "within": "P7D"}},
    {"all": [{"field": "plan", "op": "eq", "value": "pro"}, {"event": "order_completed", "where": BIG}]},
    {"any": [{"field": "plan", "op": "eq", "value": "pro"}, {"event": "order_completed", "within": "P1D"}]},
]


@pytest.fixture
def now(db) -> datetime:
    """The real one: the partitions were made around it."""
    return clock.now()


@pytest.fixture
def event_log(now) -> None:
    """Events of many contacts over three months, each month in its partition."""
    partitions.make_ahead(now=now - timedelta(days=70), months=5)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts (email, attributes) SELECT 'c' || n || '@example.com', "
            "jsonb_build_object('plan', CASE WHEN n %% 9 = 0 THEN 'pro' ELSE 'free' END) FROM generate_series(1, %s) n",
            [CONTACTS],
        )
        cursor.execute(
            "INSERT INTO contact_events (contact_id, recorded_contact_id, type, occurred_at, recorded_at, properties, "
            "source, processed, key_hash) SELECT c.id, c.id, "
            "CASE WHEN n %% 4 = 0 THEN 'order_completed' ELSE 'email_opened' END, at, at, "
            "jsonb_build_object('total', n %% 100), 'api', true, '' "
            "FROM generate_series(1, %s) AS n "
            "JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM contacts) AS c ON c.place = 1 + n %% %s, "
            "LATERAL (SELECT %s::timestamptz - (n %% 70) * interval '1 day') AS clock(at)",
            [EVENTS, CONTACTS, now],
        )
        for table in with_rows():
            cursor.execute(f"ANALYZE {table}")


def filled_partitions() -> list[str]:
    """The oldest first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tableoid::regclass::text FROM contact_events ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


def plan_of(sql: str, params: list) -> list[dict]:
    """Every node of the plan of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        nodes = [cursor.fetchone()[0][0]["Plan"]]
    for node in nodes:
        nodes.extend(node.get("Plans", []))
    return nodes


def scanned(nodes: list[dict]) -> set[str]:
    """The aliases of what a plan reads from end to end; partitions are numbered: counted_1, counted_2."""
    scans = [node for node in nodes if node["Node Type"] == "Seq Scan" and node["Relation Name"] in with_rows()]
    return {node["Alias"].rstrip("_0123456789") for node in scans}


def with_rows() -> list[str]:
    """The tables for which it matters: an empty partition is scanned in no time, and is."""
    return ["contacts", *filled_partitions()]


def everyone() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM contacts ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def test_counted_events_are_found_by_index_for_a_few_contacts_and_for_all(event_log, now):
    assert len(filled_partitions()) >= 3
    for tree, share in itertools.product(QUESTIONS, (10, 1)):
        text, params = compile_condition(parse(tree), now=now)
        asked = everyone()[::share]
        nodes = plan_of(f"SELECT c.id FROM contacts AS c WHERE c.id = ANY(%s) AND {text}", [asked, *params])
        assert "counted" not in scanned(nodes), tree
        assert {node["Alias"] for node in nodes if "counted" in node.get("Alias", "")}, tree


def test_counted_events_are_found_by_index_for_a_batch_of_events(event_log, now):
    condition = parse(
        {"all": [BIG, {"event": "email_opened", "within": "P30D"}]}, scope=frozenset({"contact", "event"})
    )
    text, params = compile_condition(condition, now=now)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, recorded_at FROM contact_events ORDER BY id LIMIT 500")
        ids, instants = zip(*cursor.fetchall(), strict=True)
    sql = (
        "SELECT e.id FROM unnest(%s::bigint[], %s::timestamptz[]) AS batch(id, recorded_at) "
        "JOIN contact_events AS e ON e.id = batch.id AND e.recorded_at = batch.recorded_at "
        f"JOIN contacts AS c ON c.id = e.contact_id WHERE {text}"
    )
    assert "counted" not in scanned(plan_of(sql, [list(ids), list(instants), *params]))


def test_a_window_spares_the_partitions_before_it(event_log, now):
    def read(tree: dict) -> set[str]:
        text, params = compile_condition(parse(tree), now=now)
        nodes = plan_of(f"SELECT c.id FROM contacts AS c WHERE {text}", params)
        return {node.get("Relation Name", "") for node in nodes}

    oldest, newest = filled_partitions()[0], filled_partitions()[-1]
    assert {oldest, newest} <= read({"event": "order_completed"})
    assert read({"event": "order_completed", "within": "P1D"}) & {oldest, newest} == {newest}


def test_an_address_is_found_by_index(event_log, now):
    text, params = compile_condition(parse({"field": "email", "op": "eq", "value": "c7@example.com"}), now=now)
    assert scanned(plan_of(f"SELECT c.id FROM contacts AS c WHERE {text}", params)) == set()
