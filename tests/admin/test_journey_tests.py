"""The page on which a journey's tests are kept and run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from contacts import clock
from tests import journeys
from tests.workflows.journey_tests.playing import ADA, WORKFLOW, at, case, database_url, signed_up
from workflows import importing, publishing
from workflows.models import JourneyTests, Workflow

pytestmark = pytest.mark.django_db(transaction=True)
SENT = {"contact": "ada", "template": "hello", "times": 1}
TESTS = {"contacts": [ADA], "cases": [case(signed_up(), at("09:00", sent=SENT), name="a hello")]}


@pytest.fixture
def journey() -> Workflow:
    journeys.template("hello")
    return publishing.save_draft(definition=WORKFLOW, now=clock.now())


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children find the database of the tests."""
    monkeypatch.setenv("DATABASE_URL", database_url())


def _page(journey: Workflow) -> str:
    return f"/admin/workflows/workflow/{journey.pk}/tests/"


def _run(client: Client, journey: Workflow, tests: Any) -> list[dict[str, Any]]:
    text = tests if isinstance(tests, str) else json.dumps(tests)
    answer = client.post(f"{_page(journey)}run/", {"tests": text})
    assert answer.status_code == 200
    return [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]


@pytest.fixture
def editor(staff: Any) -> Client:
    return staff("workflows.view_workflow", "workflows.change_workflow")


def test_the_page_offers_a_beginning_and_keeps_what_is_saved(editor: Client, journey: Workflow) -> None:
    assert "who signs up is welcomed" in editor.get(_page(journey)).content.decode()
    assert editor.post(_page(journey), {"tests": json.dumps(TESTS)}).status_code == 302
    assert JourneyTests.objects.get().document == TESTS
    assert "a hello" in editor.get(_page(journey)).content.decode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "neither JSON nor YAML"),
        ("[]", "expected an object with"),
        ('{"workflow": {}}', "workflow: is none of contacts, lists, segments, rules, cases"),
        ('{"cases": [{"name": "a", "when": [{"at": "x", "tick": true}]}]}', "cases[0].when[0].at"),
    ],
)
def test_what_cannot_be_read_is_told_and_not_saved(editor: Client, journey: Workflow, text: str, said: str) -> None:
    answer = editor.post(_page(journey), {"tests": text})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not JourneyTests.objects.exists()
    (refused,) = _run(editor, journey, text)
    assert said in refused["errors"][0]


def test_a_run_is_told_line_by_line(editor: Client, journey: Workflow, child: None) -> None:
    wrong = case(signed_up(), at("09:00", sent={**SENT, "times": 2}), name="two hellos")
    begins, good, bad, summary = _run(editor, journey, {**TESTS, "cases": [*TESTS["cases"], wrong]})
    assert begins == {"begins": 2}
    assert (good["case"], good["passed"]) == ("a hello", True)
    assert (bad["case"], bad["passed"]) == ("two hellos", False)
    assert bad["checks"][0]["found"] == "it was sent once (accepted)"
    assert (summary["cases"], summary["passed"]) == (2, 1)
    assert not JourneyTests.objects.exists()
    assert Workflow.objects.get().status == "draft"


def test_the_draft_is_tested_as_it_is_saved_and_its_problems_are_told(
    editor: Client, journey: Workflow, child: None
) -> None:
    publishing.save_draft(definition={**WORKFLOW, "start": "nowhere"}, now=clock.now())
    _, refused = _run(editor, journey, TESTS)
    assert refused["errors"] == ["-: error: workflow: start: there is no step 'nowhere'"]


def test_only_who_may_change_the_journey_runs_its_tests(staff: Any, journey: Workflow) -> None:
    viewer = staff("workflows.view_workflow")
    assert "Run tests" not in viewer.get(_page(journey)).content.decode()
    assert viewer.post(_page(journey), {"tests": json.dumps(TESTS)}).status_code == 403
    assert viewer.post(f"{_page(journey)}run/", {"tests": json.dumps(TESTS)}).status_code == 403
    assert staff("contacts.view_contact").get(_page(journey)).status_code == 403


def test_a_file_brings_its_tests_with_it() -> None:
    document = {"workflow": WORKFLOW, "templates": [{"slug": "hello"}, {"slug": "again"}], **TESTS}
    importing.import_document(document, by="test", publish=False, now=clock.now())
    assert JourneyTests.objects.get().document == TESTS
    with pytest.raises(importing.BadDocument, match=r"cases\[0\].name"):
        importing.import_document({**document, "cases": [{}]}, by="test", publish=False, now=clock.now())
