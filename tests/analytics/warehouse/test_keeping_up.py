"""Incremental models are at every time what a full refresh would make of the same facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from analytics.models import WarehouseRun
from contacts import clock
from contacts.guarded import guarded_path
from contacts.merging import undoing
from contacts.merging.merge import merge
from contacts.models import ContactMerge
from contacts.privacy import erasing
from tests import journeys
from tests.analytics.warehouse import facts
from tests.analytics.warehouse.conftest import Warehouse

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
# each of three builds takes as long as a machine is slow
pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600), pytest.mark.warehouse]

VIEWS = "SELECT relname, oid::bigint FROM pg_class WHERE relnamespace = 'reporting'::regnamespace AND relkind = 'v'"

Contents = Mapping[str, list[tuple[Any, ...]]]


@dataclass
class Story:
    """The warehouse as it was built, after an incremental run, and after a full refresh of the same facts."""

    people: list[int]
    message: int
    views: list[tuple[Any, ...]]  # of other people's tools, before anything was built
    before: Contents
    incremental: Contents
    full: Contents
    rewritten: Mapping[str, int]  # by the incremental run, of somebody of whom nothing was told


@pytest.fixture(scope="module")
def story(warehouse) -> Story:
    """Eight contacts with a past of forty days, built ten days ago, and then all that comes late."""
    journeys.template("welcome")
    views = warehouse.ask(VIEWS)
    now = clock.now()
    people = [facts.contact(f"p{n}@example.com", now - 40 * DAY) for n in range(8)]
    for n, contact_id in enumerate(people):
        at = now - (30 - n) * DAY
        facts.event(contact_id, "page_viewed", at, recorded_at=at)
        facts.event(contact_id, "order_completed", at + DAY, {"total": 10 * n, "currency": "eur"}, recorded_at=at + DAY)
        facts.event(contact_id, "stage_reached", at, {"stage": "lead"}, recorded_at=at)
        facts.message(contact_id, at, "accepted", heard={"delivered": at})
        facts.move(contact_id, "customer", at + DAY)
        facts.event(contact_id, "cart_updated", now - HOUR)
    long_ago = now - 400 * DAY
    facts.event(people[7], "page_viewed", long_ago, recorded_at=long_ago)
    facts.event(people[7], "form_submitted", long_ago - DAY, recorded_at=long_ago)
    facts.event(people[7], "stage_reached", long_ago, {"stage": "mql"}, recorded_at=long_ago - HOUR)
    facts.event(people[7], "order_completed", long_ago, {"total": 900}, recorded_at=long_ago - HOUR)
    warehouse.build(full_refresh=True)
    before = warehouse.contents()
    # as if that had been ten days ago: what is read now is what was recorded in the last fourteen
    with connection.cursor() as cursor:
        cursor.execute("UPDATE warehouse_runs SET started_at = started_at - interval '10 days'")
    message = _what_comes_late(people)
    with transaction.atomic(), guarded_path(), connection.cursor() as cursor:  # as retention does it
        cursor.execute("DELETE FROM contact_events WHERE recorded_at = %s AND type = 'page_viewed'", [long_ago])
        cursor.execute("DELETE FROM contact_events WHERE recorded_at = %s", [long_ago - HOUR])
    warehouse.build()
    incremental = warehouse.contents()
    rewritten = _what_was_rewritten(warehouse, people[7])
    warehouse.build(full_refresh=True)
    return Story(people, message, views, before, incremental, warehouse.contents(), rewritten)


def _what_was_rewritten(warehouse: Warehouse, contact_id: int) -> dict[str, int]:
    """How many rows of theirs the last run wrote, by staging table."""
    rows = "SELECT count(*) FROM staging.{} WHERE contact_id = %s AND built_at >= %s"
    began = WarehouseRun.objects.latest("pk").started_at
    return {
        table: warehouse.ask(rows.format(table), contact_id, began)[0][0]
        for table in ("stg_events", "stg_messages", "stg_touches", "stg_activity", "stg_contacts", "stg_entries")
    }


def _what_comes_late(people: list[int]) -> int:
    """Recorded today, and of long ago. Returns the message of which something was heard."""
    now = clock.now()
    ada, bob, cleo, dan, eve, fay, gus, _ = people
    facts.event(ada, "form_submitted", now - 35 * DAY)
    facts.event(ada, "order_completed", now - 33 * DAY, {"total": 7})
    facts.event(bob, "stage_reached", now - 32 * DAY, {"stage": "mql"})
    doubtful = facts.message(cleo, now - 20 * DAY, "in_doubt")
    facts.decide(doubtful, "accepted", now)
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(id) FROM messages WHERE contact_id = %s", [dan])
        old = cursor.fetchone()[0]
    facts.hear(old, "opened", now, occurred_at=now - 25 * DAY)
    facts.hear(old, "clicked", now, occurred_at=now - 25 * DAY, is_machine=True)
    undone = _merge(ada, eve)
    _merge(bob, fay)
    _merge(dan, bob)
    with transaction.atomic():
        undoing.undo(undone, actor="test", now=clock.now())
    for contact_id in (gus, cleo):
        with transaction.atomic():
            erasing.erase(contact_id, actor="test", now=clock.now())
    return old


def _merge(survivor: int, absorbed: int) -> int:
    with transaction.atomic():
        merge(survivor_id=survivor, absorbed_id=absorbed, source="by_hand", actor="test", now=clock.now())
    return ContactMerge.objects.latest("pk").pk


def test_an_incremental_run_equals_a_full_refresh(story):
    assert story.incremental.keys() == story.full.keys()
    assert [name for name in story.full if story.incremental[name] != story.full[name]] == []
    changed = {name for name in story.full if story.incremental[name] != story.before.get(name)}
    assert {f"staging.stg_{name}" for name in ("events", "messages", "touches", "revenue", "stage_events")} <= changed
    assert {"marts.attribution", "marts.funnel", "marts.pressure"} <= changed


def test_an_incremental_run_reads_days_once_more_and_writes_only_what_is_new(story):
    assert len([row for row in story.incremental["staging.stg_events"] if row[1] == story.people[7]]) > 1
    assert story.rewritten == dict.fromkeys(story.rewritten, 0)


def test_the_list_of_who_moved_and_who_was_erased_ends_with_the_run(story):
    assert story.incremental["staging.stg_moved"] == story.full["staging.stg_moved"] == []


def test_what_is_recorded_late_is_found(story, warehouse):
    ada = story.people[0]
    touches = "SELECT touch_type FROM marts.attribution WHERE contact_id = %s AND model = 'linear' AND kind = 'revenue'"
    assert ("form_submitted",) in warehouse.ask(touches, ada)
    assert warehouse.ask(
        "SELECT opened_at IS NOT NULL, clicked_at IS NULL FROM staging.stg_messages WHERE message_id = %s",
        story.message,
    ) == [(True, True)]


def test_merges_are_followed_and_so_is_their_undoing(story, warehouse):
    ada, bob, _, dan, eve, fay, *_ = story.people
    whose = "SELECT DISTINCT contact_id FROM staging.stg_events WHERE contact_id = ANY(%s) ORDER BY 1"
    assert warehouse.ask(whose, [bob, dan, fay]) == [(dan,)]
    assert warehouse.ask(whose, [ada, eve]) == [(ada,), (eve,)]
    assert warehouse.ask("SELECT count(*) FROM staging.stg_revenue WHERE contact_id = %s", dan) == [(3,)]


def test_nobody_who_was_erased_is_named_anywhere(story, warehouse):
    tables = warehouse.ask(
        "SELECT table_schema || '.' || table_name FROM information_schema.columns"
        " WHERE table_schema IN ('staging', 'marts') AND column_name = 'contact_id'"
    )
    assert {"staging.stg_touches", "marts.attribution"} <= {table for (table,) in tables}
    gone = [story.people[2], story.people[6]]
    naming = [t for (t,) in tables if warehouse.ask(f"SELECT FROM {t} WHERE contact_id = ANY(%s)", gone)]
    assert naming == []
    # their messages count still, and their revenue does not
    assert len(story.full["staging.stg_messages"]) == len(story.before["staging.stg_messages"]) + 1
    assert warehouse.ask("SELECT currency, sum(amount) FROM marts.revenue GROUP BY 1 ORDER BY 1") == [
        ("EUR", 10 * (1 + 3 + 4 + 5 + 7)),
        ("unknown", 7),
    ]


def test_events_that_retention_dropped_go_from_the_warehouse_too(story, warehouse):
    kinds = "SELECT type FROM staging.stg_events WHERE known_at < %s"
    assert warehouse.ask(kinds, clock.now() - 100 * DAY) == [("form_submitted",)]
    assert len([row for row in story.before["staging.stg_events"] if row[1] == story.people[7]]) == 8


def test_the_marts_say_what_happened(story, warehouse):
    assert warehouse.ask("SELECT stage, ever, here_now, went_on FROM marts.funnel WHERE ever > 0 ORDER BY place") == [
        ("lead", 4, 0, 4),
        ("mql", 1, 0, 1),
        ("customer", 4, 4, 0),
    ]
    # one of them was merged with two others, and came there three times
    stays = "SELECT entry_workflow, stays, still_there, median_days, within_7_days FROM marts.time_in_stage"
    assert warehouse.ask(f"{stays} WHERE stage = 'lead'") == [(None, 6, 0, 1, 6)]
    # of nine messages three went to people who were erased; weeks begin on Mondays, so how many there are is the day's
    assert warehouse.ask("SELECT sum(contacts * received), sum(opened) FROM marts.pressure") == [(6, 1)]


def test_the_views_of_other_tools_outlive_three_builds_and_read_the_last_one(story, warehouse):
    assert len(story.views) > 10
    assert sorted(warehouse.ask(VIEWS)) == sorted(story.views)
    for name, _ in story.views:
        warehouse.ask(f"SELECT * FROM reporting.{name}")
    assert warehouse.ask("SELECT sum(amount) FROM reporting.revenue") == warehouse.ask(
        "SELECT sum(amount) FROM marts.revenue"
    )
