"""Rehearsals that are asked for over HTTP or in the admin: rows, and a process of their own."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction

from contacts import access, clock, transactions
from tests import journeys
from workflows import publishing, rehearsals
from workflows.models import Rehearsal, Workflow
from workflows.rehearsal import asking, watched
from workflows.rehearsal.asked import Asked

pytestmark = pytest.mark.django_db(transaction=True)
SINCE = datetime(2025, 3, 3, tzinfo=UTC)
PERIOD = {"since": "2025-03-03T00:00:00Z", "until": "2025-03-05T00:00:00Z"}


@pytest.fixture
def call(client: Any) -> Any:
    with transaction.atomic():
        scopes = ["workflows:read", "workflows:write"]
        key = access.create_key(name="test", kind="secret", scopes=scopes, now=clock.now())

    def send(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        response = client.generic(
            method,
            f"/api/v1/workflows/journey{path}",
            json.dumps(body) if body is not None else "",
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )
        return response.status_code, response.json()

    return send


def _draft() -> None:
    with transaction.atomic():
        steps = {"tag": journeys.step("add_tag", tag="t")}
        publishing.save_draft(definition=journeys.definition(steps), now=clock.now())


def _ask() -> Rehearsal:
    asked = Asked("journey", since=SINCE, until=SINCE + timedelta(days=2))
    return transactions.run(lambda now: asking.ask(asked, by="test", now=now))


def _runs() -> None:
    """As `start_one` leaves it, for a process that the test is itself."""
    Rehearsal.objects.update(state="running", beat_at=clock.now())


def test_a_rehearsal_is_asked_for_run_by_its_process_and_read(call: Any) -> None:
    _draft()
    status, body = call("POST", "/rehearse", {**PERIOD, "clock": "occurred"})
    assert status == 202 and body["state"] == "queued" and body["asked_by"] == "key test"
    ada = journeys.contact()
    journeys.track(ada.pk, "signed_up", occurred_at=SINCE + timedelta(hours=1))
    _runs()
    call_command("rehearse", run=body["id"])
    status, body = call("GET", f"/rehearse/{body['id']}/")
    assert (status, body["state"], body["error"]) == (200, "done", "")
    assert body["report"]["entered"] == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({**PERIOD, "moment": "soon"}, 400),
        ({**PERIOD, "until": PERIOD["since"]}, 400),
        ({**PERIOD, "version": 3}, 409),
        ({**PERIOD, "sample": -1}, 400),
    ],
)
def test_a_question_that_has_no_answer_is_refused(call: Any, body: Any, status: int) -> None:
    _draft()
    assert call("POST", "/rehearse/", body)[0] == status


def test_one_that_is_stopped_while_it_runs_ends_and_says_so() -> None:
    _draft()
    row = _ask()
    _runs()
    rehearsals.stop(row.pk, now=clock.now())
    assert not watched.run(row, asking.asked_of(row))
    row.refresh_from_db()
    assert (row.state, row.error, row.report) == ("stopped", "it was stopped", None)


def test_a_queued_one_waits_for_the_one_that_runs_and_takes_the_place_of_one_that_is_gone(monkeypatch: Any) -> None:
    _draft()
    started: list[str] = []
    monkeypatch.setattr("workflows.rehearsals.subprocess.Popen", lambda words, **_: started.append(words[-1]))
    first, second = _ask(), _ask()
    rehearsals.start_one()
    rehearsals.start_one()
    assert started == [str(first.public_id)]
    assert not rehearsals.is_work_waiting(now=clock.now())
    Rehearsal.objects.filter(pk=first.pk).update(beat_at=clock.now() - rehearsals.SILENCE * 2)
    assert rehearsals.is_work_waiting(now=clock.now())
    rehearsals.start_one()
    assert started == [str(first.public_id), str(second.public_id)]
    first.refresh_from_db()
    assert (first.state, first.error) == ("failed", "the process ended before its time")


def test_the_page_asks_and_shows_progress_and_the_report(admin_client: Any) -> None:
    _draft()
    workflow = Workflow.objects.get(slug="journey")
    page = f"/admin/workflows/workflow/{workflow.pk}/rehearsal/"
    assert "Rehearse this journey" in admin_client.get(page).content.decode()
    form = {"since": "2025-03-03", "until": "2025-03-05", "version": "", "sample": "100", "moment": "1"}
    form["clock"] = "occurred"
    assert admin_client.post(page, {**form, "until": "x"}).status_code == 422
    answer = admin_client.post(page, form)
    assert answer.status_code == 302
    row = Rehearsal.objects.get()
    assert admin_client.get(f"{answer.url}progress/").json()["open"] is True
    assert "data-progress" in admin_client.get(answer.url).content.decode()
    journeys.track(journeys.contact().pk, "signed_up", occurred_at=SINCE + timedelta(hours=1))
    _runs()
    assert watched.run(row, asking.asked_of(row))
    assert admin_client.get(f"{answer.url}progress/").json()["open"] is False
    shown = admin_client.get(answer.url).content.decode()
    assert "came to an end of the journey" in shown.lower() and "data-progress" not in shown
