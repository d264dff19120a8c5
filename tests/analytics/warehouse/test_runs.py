"""Runs as rows: once a night, one at a time, and found again when their process died."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from analytics import tasks
from analytics.models import WarehouseRun
from analytics.warehouse import nights, runs, watching
from contacts import clock
from tests.analytics.warehouse.conftest import ended

pytestmark = pytest.mark.django_db

NIGHT = date(2026, 3, 4)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def old_installation():
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_migrations SET applied = '2026-01-01'")


def at(hour: int, minute: int = 0, day: int = 4) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def end(run_id: int, *, problem: str = "", now: datetime) -> None:
    runs.take(run_id, rules="{}", now=now)
    runs.end(run_id, now=now, problem=problem, results=[])


def test_a_night_has_one_run_whoever_asks(now):
    first = runs.ask("nightly", now=now, night=NIGHT)
    end(first, now=now)
    assert runs.ask("nightly", now=now, night=NIGHT) is None
    assert runs.ask("nightly", now=now, night=NIGHT + timedelta(days=1)) is not None


def test_there_is_one_run_at_a_time(now):
    first = runs.ask("by_hand", now=now)
    with pytest.raises(runs.RunInProgress) as refused:
        runs.ask("nightly", now=now, night=NIGHT)
    assert refused.value.run_id == first
    end(first, now=now)
    assert runs.ask("nightly", now=now, night=NIGHT)


def test_of_two_who_take_a_run_one_gets_it(now):
    run_id = runs.ask("by_hand", now=now)
    assert [runs.take(run_id, rules="{}", now=now) for _ in range(2)] == ["by_hand", ""]


def test_a_run_whose_process_died_begins_again_and_fails_in_the_end(now):
    run_id = runs.ask("nightly", now=now, night=NIGHT)
    for attempt in range(1, runs.ATTEMPTS + 1):
        assert runs.take(run_id, rules="{}", now=now)
        assert runs.reap(now=now + runs.SILENT) == 0
        now += runs.SILENT + MINUTE
        assert runs.reap(now=now) == 1
        run = WarehouseRun.objects.get(pk=run_id)
        assert (run.state, run.attempts) == ("failed" if attempt == runs.ATTEMPTS else "queued", attempt)
    assert run.problem == "Its process was gone 3 times."


def test_a_process_that_was_taken_for_dead_learns_it_and_writes_nothing_more(now):
    run_id = runs.ask("by_hand", now=now)
    runs.take(run_id, rules="{}", now=now)
    assert runs.note(run_id, now=now, said="funnel", done=1, total=2)
    runs.reap(now=now + runs.SILENT + MINUTE)
    assert not runs.note(run_id, now=now, said="late", done=2, total=2)
    runs.end(run_id, now=now, problem="", results=[])
    assert WarehouseRun.objects.get(pk=run_id).state == "queued"


@pytest.mark.parametrize(
    ("now", "night"),
    [
        (at(2, 29), None),
        (at(2, 30), date(2026, 3, 4)),
        (at(14, 30), date(2026, 3, 4)),
        (at(14, 31), None),
    ],
)
def test_a_night_is_due_from_its_hour_on_and_made_up_for_half_a_day(old_installation, settings, now, night):
    settings.WAREHOUSE_AT = time(2, 30)
    assert nights.due(now=now) == night


def test_the_hour_is_that_of_the_installations_zone(old_installation, settings):
    settings.WAREHOUSE_AT, settings.DEFAULT_TIMEZONE = time(2, 30), "America/New_York"
    assert nights.due(now=at(7, 29)) is None
    assert nights.due(now=at(7, 30)) == date(2026, 3, 4)


def test_a_new_installation_has_no_night_to_make_up_for(old_installation, settings):
    settings.WAREHOUSE_AT = time(2, 30)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_migrations SET applied = %s", [at(2, 31)])
    assert nights.due(now=at(3)) is None
    assert nights.due(now=at(3, day=5)) == date(2026, 3, 5)


def test_without_an_hour_only_people_ask(old_installation, settings):
    settings.WAREHOUSE_AT = None
    nights.sweep(now=at(3))
    assert not WarehouseRun.objects.exists()


def test_the_sweep_asks_once_and_waits_for_a_run_by_hand(old_installation):
    by_hand = runs.ask("by_hand", now=at(2))
    nights.sweep(now=at(3))
    assert WarehouseRun.objects.count() == 1
    end(by_hand, now=at(3))
    for minute in (1, 2):
        nights.sweep(now=at(3, minute))
    (nightly,) = WarehouseRun.objects.filter(kind="nightly")
    assert (nightly.night, nightly.state) == (date(2026, 3, 4), "queued")


@pytest.mark.django_db(transaction=True)
def test_the_bell_starts_a_process_that_does_the_run(play, settings, monkeypatch):
    play(ended("funnel"))
    started = []
    run_id = runs.ask("by_hand", now=clock.now())
    with monkeypatch.context() as patches:
        patches.setattr(nights.subprocess, "Popen", lambda command, **options: started.append((command, options)))
        tasks.build_warehouse()
    ((command, options),) = started
    assert command[1:] == ["manage.py", "build_warehouse", "--run", str(run_id)]
    assert options["start_new_session"]
    call_command(*command[2:])
    assert WarehouseRun.objects.get(pk=run_id).state == "finished"
    assert nights.start_waiting() is False
    assert len(started) == 1


def test_a_run_of_everything_anew_is_one_whoever_does_it(play, tmp_path):
    play(ended("funnel"))
    run_id = runs.ask("full_refresh", now=clock.now())
    call_command("build_warehouse", run=run_id)
    assert "--full-refresh" in (tmp_path / "logs.asked").read_text()


def test_the_command_fails_where_the_build_does_and_while_another_goes_on(play, capsys):
    play(code=2)
    with pytest.raises(CommandError, match="dbt ended with code 2"):
        call_command("build_warehouse")
    run_id = runs.ask("by_hand", now=clock.now())
    with pytest.raises(CommandError, match=f"run {run_id} is not over yet"):
        call_command("build_warehouse")


def test_failures_and_missed_nights_are_told(old_installation, now):
    assert [finding.key for finding in watching.look(now)] == ["stale"]
    end(runs.ask("by_hand", now=now), now=now)
    assert list(watching.look(now + watching.STALE)) == []
    assert [finding.key for finding in watching.look(now + watching.STALE + MINUTE)] == ["stale"]
    end(runs.ask("by_hand", now=now), problem="funnel: no such column", now=now + MINUTE)
    (finding,) = watching.look(now + MINUTE)
    assert (finding.key, finding.detail) == ("failed", "funnel: no such column")


def test_old_runs_are_forgotten_but_not_the_last_good_one(now, monkeypatch):
    monkeypatch.setattr(runs, "KEPT", 2)
    ids = [runs.ask("by_hand", now=now)]
    end(ids[0], now=now)
    for _ in range(4):
        ids.append(runs.ask("by_hand", now=now))
        end(ids[-1], problem="no", now=now + MINUTE)
    runs.forget_old()
    assert list(WarehouseRun.objects.order_by("id").values_list("id", flat=True)) == [ids[0], ids[3], ids[4]]
