"""A traced condition decides as the untraced one does, and says what it read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import given

from contacts.conditions import Aliases, parse
from contacts.conditions.tracing import leaves_of, shortened, told, trace
from tests.contacts.conditions.asking import EVERYWHERE, add_event, add_tag, make_contact
from tests.contacts.conditions.test_oracle import CONDITIONS, NOW, SEARCH, World, ask, make_worlds, several

pytestmark = pytest.mark.django_db


@pytest.fixture
def worlds(db) -> list[tuple[int, World]]:
    return make_worlds(60)


def ask_traced(trees: list[dict], worlds: list[tuple[int, World]]) -> dict[int, list[bool]]:
    traced = trace([parse(tree, scope=EVERYWHERE) for tree in trees], now=NOW, aliases=Aliases())
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT e.id, ARRAY[{', '.join(traced.truths)}], {traced.values}::text "
            "FROM unnest(%s::bigint[], %s::jsonb[]) AS t(event_id, trigger) "
            "JOIN contact_events AS e ON e.id = t.event_id JOIN contacts AS c ON c.id = e.contact_id "
            f"CROSS JOIN LATERAL {traced.leaves.text}",
            [
                [event_id for event_id, _ in worlds],
                [json.dumps(world.trigger) for _, world in worlds],
                *traced.leaves.params,
            ],
        )
        rows = cursor.fetchall()
    expected = len(leaves_of([parse(tree, scope=EVERYWHERE) for tree in trees]))
    assert {len(json.loads(values)) for _, _, values in rows} == {expected}
    return {event_id: truths for event_id, truths, _ in rows}


@SEARCH
@given(trees=several(CONDITIONS))
def test_it_decides_as_the_untraced_condition_does(worlds, trees):
    assert ask_traced(trees, worlds) == ask(trees, worlds)


def read(trees: list[dict], contact_id: int, now: datetime) -> list[dict]:
    conditions = [parse(tree) for tree in trees]
    traced = trace(conditions, now=now, aliases=Aliases())
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {traced.values}::text FROM contacts c CROSS JOIN LATERAL {traced.leaves.text} WHERE c.id = %s",
            [*traced.leaves.params, contact_id],
        )
        return told(conditions, json.loads(shortened(cursor.fetchone()[0])))


def test_it_says_the_values_of_comparisons_and_the_truth_of_everything_else():
    now = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
    contact_id = make_contact(region="eu", attributes={"plan": "trial", "seats": 3, "story": "x" * 400})
    add_tag(contact_id, "vip", now)
    add_event(contact_id, "signed_up", now - timedelta(days=1))
    plan = {"field": "plan", "op": "eq", "value": "gold"}
    trees = [
        {"any": [plan, {"all": [{"field": "seats", "op": "gt", "value": 2}, {"has_tag": "vip"}]}]},
        {"not": plan},
        {"event": "signed_up", "within": "P7D"},
        {"event": "subscribed"},
        {"field": "nothing", "op": "exists"},
        {"field": "story", "op": "exists"},
        {"field": "region", "op": "eq", "value": "us"},
    ]
    found = read(trees, contact_id, now)
    assert [each["read"] for each in found] == ["trial", 3, True, True, False, None, "x" * 80 + "…", "eu"]
    assert found[0]["asked"] == "plan is “gold”"
