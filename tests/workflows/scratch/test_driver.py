"""The production engine and no second one: what a scratch does is what the doors do, and every instant is met."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from contacts import clock
from contacts.audiences import segments
from delivery import sending
from tests import journeys
from workflows import scratch
from workflows.scratch import due

pytestmark = pytest.mark.django_db(transaction=True)
THEN = datetime(2024, 2, 28, 12, 0, tzinfo=UTC)


def _branching() -> dict[str, Any]:
    return {
        "hello": journeys.step("send_email", {"next": "plan"}, template="hello"),
        "plan": journeys.step(
            "branch",
            {"paid": "thanks", "else": "tag"},
            arms=[{"key": "paid", "if": {"field": "plan", "op": "eq", "value": "paid"}}],
        ),
        "tag": journeys.step("add_tag", {"next": "settle"}, tag="free"),
        "thanks": journeys.step("exit", {}, reason="paying_already"),
        "settle": journeys.step("wait", {"next": "again"}, mode="duration", **{"for": "PT1H"}),
        "again": journeys.step("send_email", template="hello"),
    }


def _begin() -> None:
    journeys.template("hello")
    journeys.publish(journeys.definition(_branching()))
    people = [journeys.contact(f"{n}@example.com", attributes={"plan": ("paid", "free")[n % 2]}) for n in range(4)]
    journeys.track([person.pk for person in people], "signed_up")


def _deliver() -> None:
    while sending.deliver_batch("urgent"):
        pass


def _what_happened() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(id) FROM contacts")
        (first,) = cursor.fetchone()
        cursor.execute(
            """
            SELECT contact_id - %s, seq, step, step_type, outcome, port, (detail - 'template_version')::text
              FROM workflow_journal
             ORDER BY 1, 2
            """,
            [first],
        )
        journal = cursor.fetchall()
        cursor.execute(
            """
            SELECT m.contact_id - %s, m.step, s.state, s.reason FROM messages m
              JOIN message_states s ON s.message_id = m.id ORDER BY m.contact_id, m.id
            """,
            [first],
        )
        return [*journal, *cursor.fetchall()]


def test_a_journal_is_the_one_that_the_doors_write() -> None:
    with scratch.open_scratch(now=THEN) as room:
        _begin()
        room.run_until(THEN + timedelta(hours=1))
        simulated = _what_happened()
    _begin()
    journeys.run()
    _deliver()
    journeys.wake_all()
    journeys.run()
    _deliver()
    assert _what_happened() == simulated
    assert len(simulated) == 2 * 3 + 2 * 6 + 2 + 2 * 2  # paid: three steps, free: six; their messages


def test_two_runs_are_the_same_run() -> None:
    runs = []
    with scratch.open_scratch(now=THEN) as room:
        for _ in range(2):
            room.start_over(THEN)
            _begin()
            room.run_until(THEN + timedelta(days=1))
            tables = ("workflow_journal", "contact_events", "messages", "contact_changes")
            runs.append(
                [room.ask(f"SELECT (to_jsonb(t) - 'key_hash')::text FROM {table} t ORDER BY 1") for table in tables]
            )
    assert runs[0] == runs[1]


def test_each_wait_ends_at_its_own_instant_and_the_clock_stops_nowhere_else() -> None:
    """Three waits in one journey: an hour, to nine o'clock over a leap day, and until an instant."""
    steps = {
        "hour": journeys.step("wait", {"next": "nine"}, mode="duration", **{"for": "PT1H"}),
        "nine": journeys.step("wait", {"next": "until"}, mode="local_time", at="09:00"),
        "until": journeys.step("wait", mode="until", until="2024-03-05T00:00:00Z"),
    }
    stops: list[datetime] = []
    with scratch.open_scratch(now=THEN) as room:
        journeys.publish(journeys.definition(steps))
        journeys.track(journeys.contact(timezone="America/New_York").pk, "signed_up")
        room.run_until(datetime(2024, 4, 1, tzinfo=UTC), each=stops.append)
        ends = room.ask("SELECT step, at FROM workflow_journal WHERE outcome = 'advanced' ORDER BY seq")
    nine = datetime(2024, 2, 28, 14, 0, tzinfo=UTC)
    fifth = datetime(2024, 3, 5, tzinfo=UTC)
    assert ends == [("hour", THEN + timedelta(hours=1)), ("nine", nine), ("until", fifth)]
    assert stops == [THEN, THEN + timedelta(hours=1), nine, fifth, datetime(2024, 4, 1, tzinfo=UTC)]


def test_what_a_paused_journey_has_due_stops_nothing() -> None:
    """It stays due, and the clock goes on to the end."""
    from workflows import publishing

    with scratch.open_scratch(now=THEN) as room:
        _begin()
        room.settle()
        publishing.pause(slug="journey", now=clock.now())
        room.run_until(THEN + timedelta(days=30))
        assert room.now == THEN + timedelta(days=30)
        assert room.ask("SELECT count(*) FROM workflow_enrolments WHERE state = 'waiting'") == [(2,)]


def test_a_segment_that_only_time_moves_is_left_within_one_look_of_the_sweep() -> None:
    condition = {"event": "signed_up", "within": "P10D"}
    with scratch.open_scratch(now=THEN) as room:
        with transaction.atomic():
            segments.create(slug="fresh", name="Fresh", condition=condition, now=THEN)
        person = journeys.contact()
        room.settle()
        journeys.track(person.pk, "signed_up")
        room.settle()
        assert room.ask("SELECT count(*) FROM segment_members") == [(1,)]
        stops: list[datetime] = []
        room.run_until(THEN + timedelta(days=20), each=stops.append)
        assert room.ask("SELECT count(*) FROM segment_members") == [(0,)]
        left = room.ask("SELECT recorded_at FROM contact_events WHERE type = 'segment_left'")
        assert THEN + timedelta(days=10) <= left[0][0] <= THEN + timedelta(days=10, minutes=5)
        assert len(stops) == 3


def test_a_wait_for_what_only_time_makes_true_ends_without_a_thousand_stops() -> None:
    """Production looks every minute; twelve days have 17,280 of them."""
    quiet = {"not": {"event": "signed_up", "within": "P5D"}}
    steps = {
        "quiet": journeys.step(
            "wait_for_condition", {"happened": "tag", "timed_out": None}, timeout="P30D", **{"if": quiet}
        ),
        "tag": journeys.step("add_tag", tag="quiet"),
    }
    stops: list[datetime] = []
    with scratch.open_scratch(now=THEN) as room:
        journeys.publish(journeys.definition(steps))
        journeys.track(journeys.contact().pk, "signed_up")
        room.run_until(THEN + timedelta(days=12), each=stops.append)
        ended = room.ask("SELECT at, port FROM workflow_journal WHERE step = 'quiet' AND outcome = 'advanced'")
    assert [port for _, port in ended] == ["happened"]
    assert THEN + timedelta(days=5) <= ended[0][0] <= THEN + timedelta(days=5, minutes=1)
    assert len(stops) == 3


def test_such_a_wait_ends_by_its_timeout_at_that_instant() -> None:
    steps = {
        "quiet": journeys.step(
            "wait_for_condition",
            {"happened": None, "timed_out": None},
            timeout="P2D",
            **{"if": {"not": {"event": "signed_up", "within": "P5D"}}},
        )
    }
    with scratch.open_scratch(now=THEN) as room:
        journeys.publish(journeys.definition(steps))
        journeys.track(journeys.contact().pk, "signed_up")
        room.run_until(THEN + timedelta(days=12))
        ended = room.ask("SELECT at, port FROM workflow_journal WHERE outcome = 'advanced'")
    assert ended == [(THEN + timedelta(days=2), "timed_out")]


def test_every_table_with_a_due_time_is_asked() -> None:
    """A new table whose rows come due must be named in `due.TIMES`, or say here why not."""
    elsewhere = {
        "alert_calls": "nobody watches over a scratch",
        "exit_sweeps": "looks",
        "report_subscriptions": "a scratch sends no reports",
        "sandbox_mails": "people who are not there do nothing in a scratch",
        "segments": "looks",
        "webhook_deliveries": "nobody outside listens to a scratch",
    }
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
               AND a.attname IN ('due_at', 'check_at', 'next_at', 'wake_at', 'lease_until', 'reacts_at', 'swept_at',
                                 'retry_at', 'again_at')
            """
        )
        tables = {name for (name,) in cursor.fetchall()}
    asked = {table for table in tables if any(f" {table} " in f"{statement} " for statement in due.TIMES)}
    assert tables - asked == set(elsewhere) & tables


def test_two_who_wait_are_met_each_at_their_own_instant() -> None:
    steps = {"hour": journeys.step("wait", mode="duration", **{"for": "PT1H"})}
    with scratch.open_scratch(now=THEN) as room:
        journeys.publish(journeys.definition(steps))
        journeys.track(journeys.contact("early@example.com").pk, "signed_up")
        room.run_until(THEN + timedelta(minutes=10))
        journeys.track(journeys.contact("late@example.com").pk, "signed_up")
        room.run_until(THEN + timedelta(days=1))
        ends = room.ask("SELECT at FROM workflow_journal WHERE outcome = 'advanced' ORDER BY at")
    assert ends == [(THEN + timedelta(minutes=60),), (THEN + timedelta(minutes=70),)]


def test_what_was_compiled_for_rows_that_are_gone_is_forgotten() -> None:
    """Version 1 of the second start is another one than version 1 of the first."""
    with scratch.open_scratch(now=THEN) as room:
        for tag in ("first", "second"):
            room.start_over(THEN)
            journeys.publish(journeys.definition({"tag": journeys.step("add_tag", tag=tag)}))
            journeys.track(journeys.contact().pk, "signed_up")
            room.settle()
            assert room.ask("SELECT name FROM tags") == [(tag,)]
