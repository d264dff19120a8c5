"""A run: what it writes down, what it makes of failure, and how it ends when nobody wants it any more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from analytics.models import WarehouseRun
from analytics.warehouse import building, dbt, runs
from contacts import clock
from tests.analytics.warehouse.conftest import ended, fault

pytestmark = pytest.mark.django_db


def build(*, say=lambda done, total, text: None) -> WarehouseRun:
    run_id = runs.ask("by_hand", now=clock.now())
    building.work(run_id, say=say)
    return WarehouseRun.objects.get(pk=run_id)


def test_a_run_keeps_what_became_of_every_model_and_test(play):
    play(ended("funnel"), ended("unique_funnel", "pass", kind="test", status="pass"))
    run = build()
    assert (run.state, run.problem, run.models_done, run.models_total) == ("finished", "", 2, 2)
    assert run.results == [
        {"kind": "model", "model": "funnel", "state": "success", "rows": 3, "seconds": 0.25},
        {"kind": "test", "model": "unique_funnel", "state": "pass", "rows": None, "seconds": 0.25},
    ]


def test_progress_is_told_as_it_goes(play):
    play(ended("one", total=4), ended("two", total=4))
    told = []
    build(say=lambda done, total, text: told.append((done, total, text)))
    assert told == [(1, 4, "one success"), (2, 4, "two success")]


def test_a_failure_says_what_failed_and_nothing_that_somebody_wrote(play):
    said = 'Database Error in model funnel (models/funnel.sql)\n  column "x" does not exist\n  DETAIL: ada@example.com'
    play(ended("funnel", "error", status="ERROR"), fault("funnel", said), code=1)
    run = build()
    assert run.state == "failed"
    assert run.problem == 'funnel: column "x" does not exist'
    assert [each["state"] for each in run.results] == ["error"]


def test_an_end_without_a_word_is_a_failure(play):
    play("not even JSON", code=3)
    assert build().problem == "dbt ended with code 3."


def test_without_dbt_a_run_fails_and_says_so(settings):
    settings.WAREHOUSE_DBT = "/nowhere/bin/dbt"
    run = build()
    assert run.state == "failed"
    assert run.problem == "dbt is not installed: there is no dbt in /nowhere/bin"


def test_a_silent_process_still_gives_signs_of_life(play, monkeypatch):
    monkeypatch.setattr(building, "SECONDS_BETWEEN_SIGNS", 0.05)
    play(ended("slow"), sleep=0.5)
    signs = []
    note = runs.note
    monkeypatch.setattr(runs, "note", lambda *args, **said: signs.append(said["said"]) or note(*args, **said))
    assert build().state == "finished"
    assert signs.count("") >= 3


def test_a_run_that_was_given_up_ends_its_process(play, monkeypatch):
    monkeypatch.setattr(building, "SECONDS_BETWEEN_SIGNS", 0.05)
    play(ended("first"), ended("second"), sleep=30)

    def give_up(done: int, total: int, text: str) -> None:
        WarehouseRun.objects.update(state="failed", problem="Given up.")

    assert build(say=give_up).problem == "Given up."


def test_somebody_elses_run_is_left_alone(play):
    play(ended("funnel"))
    run_id = runs.ask("by_hand", now=clock.now())
    assert runs.take(run_id, rules="", now=clock.now())
    building.work(run_id, say=lambda done, total, text: None)
    assert WarehouseRun.objects.get(pk=run_id).results == []


def test_other_rules_make_everything_anew(play, settings, tmp_path):
    play(ended("funnel"))
    asked = tmp_path / "logs.asked"
    settings.WAREHOUSE_REVENUE_EVENTS = {"order_completed": "total"}
    build()
    build()
    settings.WAREHOUSE_REVENUE_EVENTS = {"order_completed": "net"}
    build()
    build()
    anew = ["--full-refresh" in line for line in asked.read_text().splitlines() if " build " in line]
    assert anew == [False, False, True, False]


def test_dbt_is_told_to_stay_at_home_and_no_secret_is_in_its_arguments(play, settings, monkeypatch):
    play()
    monkeypatch.setattr(
        "django.db.connection.get_connection_params", lambda: {"host": "db", "user": "carillon", "password": "secret"}
    )
    running = dbt.build()
    assert "secret" not in " ".join(running.command)
    assert running.environment["WAREHOUSE_PASSWORD"] == "secret"
    assert running.environment["DBT_SEND_ANONYMOUS_USAGE_STATS"] == "false"
    assert "statement_timeout=1h" in running.environment["PGOPTIONS"]
    assert "SECRET_KEY" not in running.environment


def test_what_takes_long_is_not_taken_for_dead():
    assert timedelta(seconds=building.SECONDS_BETWEEN_SIGNS) * 10 < runs.SILENT
