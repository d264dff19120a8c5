"""What is done on the map, over HTTP: one operation a request, on the revision that was shown, by whoever may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from contacts import clock
from tests.journeys import definition, publish, step
from workflows import publishing
from workflows.models import DraftRevision, Workflow
from workflows.pages.builder.operations import OPERATIONS

pytestmark = pytest.mark.django_db

TAG = {"tag": "t"}
DRAFT = definition(
    {
        "check": step("branch", {"yes": "one", "else": "two"}, arms=[{"key": "yes", "if": {"has_tag": "vip"}}]),
        "one": {**step("add_tag", {"next": "meet"}, **TAG), "name": "First"},
        "two": {**step("add_tag", {"next": "meet"}, **TAG), "name": "<b>Second</b>"},
        "meet": step("add_tag", **TAG),
    }
)


@pytest.fixture
def journey() -> Workflow:
    return publishing.save_draft(definition=DRAFT, now=clock.now(), by="maya")


@pytest.fixture
def user() -> Callable[..., Client]:
    """`user("maya", "change_workflow")`: logged in, with the permissions of journeys that are named."""

    def make(name: str, *may: str, **fields: Any) -> Client:
        made = User.objects.create_user(name, is_staff=True, **fields)
        made.user_permissions.set(Permission.objects.filter(codename__in=("view_workflow", *may)))
        client = Client()
        client.force_login(made)
        return client

    return make


@pytest.fixture
def maya(user) -> Client:
    return user("maya", "change_workflow", first_name="Maya", last_name="Okoye")


def address(name: str, journey: Workflow) -> str:
    return reverse(f"admin:workflows_workflow_{name}", args=[journey.pk])


def post(client: Client, journey: Workflow, operation: str, revision: int | None = None, **told: str) -> Any:
    now = Workflow.objects.get(pk=journey.pk).draft_revision
    sent = {"operation": operation, "revision": now if revision is None else revision, **told}
    return client.post(address("operation", journey), sent)


def steps() -> dict[str, Any]:
    return Workflow.objects.get().draft["steps"]


def test_every_operation_answers_with_the_parts_that_changed_and_one_revision_more(maya, journey):
    done = [
        ("insert", {"step": "meet", "port": "next", "kind": "wait"}),
        ("insert_above", {"step": "meet", "kind": "wait"}),
        ("duplicate", {"step": "one"}),
        ("move", {"step": "one", "target_step": "meet", "target_port": "next"}),
        ("move_above", {"step": "two", "target": "meet"}),
        ("join", {"step": "check", "port": "else", "target": "one"}),
        ("end", {"step": "meet", "port": "next"}),
        ("remove", {"step": "meet"}),
        ("rename", {"name": "Another name"}),
    ]
    assert {name for name, _ in done} == OPERATIONS.keys()
    for number, (name, told) in enumerate(done, start=2):
        answer = post(maya, journey, name, **told)
        assert answer.status_code == 200, (name, answer.content)
        assert answer.json()["revision"] == Workflow.objects.get().draft_revision == number
        assert {"builder-bar", "builder-stage"} <= answer.json()["parts"].keys()
        assert DraftRevision.objects.get(number=number).what == answer.json()["said"]


@pytest.mark.parametrize("name", [*OPERATIONS, "undo", "redo", "go_back"])
def test_who_may_only_look_does_nothing(user, journey, name):
    ana = user("ana")
    assert post(ana, journey, name, step="one", port="next", kind="wait", target="meet").status_code == 403
    assert Workflow.objects.get().draft_revision == 1
    assert ana.get(address("changes", journey)).status_code == 200
    for offer in ("path", "places"):
        assert ana.get(address(offer, journey), {"step": "one", "port": "next"}).status_code == 403


def test_without_the_token_of_the_form_nothing_is_done(journey):
    User.objects.create_superuser("root", password="x")
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="root"))
    assert post(client, journey, "remove", step="one").status_code == 403
    assert Workflow.objects.get().draft_revision == 1


def test_an_earlier_step_is_not_offered_and_not_taken(maya, journey):
    offer = maya.get(address("path", journey), {"step": "one", "port": "next"}).json()
    assert [each["step"] for each in offer["joins"]] == ["two"]
    answer = post(maya, journey, "join", step="meet", port="next", target="check")
    assert (answer.status_code, answer.json()) == (422, {"message": "A journey cannot go back to an earlier step."})
    assert Workflow.objects.get().draft == DRAFT and Workflow.objects.get().draft_revision == 1


def test_an_end_says_which_steps_go_before_and_after(maya, journey):
    offer = maya.get(address("path", journey), {"step": "check", "port": "yes"}).json()
    assert offer["end"] == ["First"]
    assert maya.get(address("path", journey), {"step": "meet", "port": "next"}).json()["end"] is None
    assert (
        post(maya, journey, "end", step="check", port="yes").json()["said"] == "The path ends here; 1 step went with it"
    )
    assert post(maya, journey, "undo").status_code == 200
    assert steps() == DRAFT["steps"]


def test_the_places_of_a_step_and_what_it_takes_along(maya, journey):
    offer = maya.get(address("places", journey), {"step": "check"}).json()
    assert set(offer["steps"]) == {"check", "one", "two"}
    assert offer["arms"] == [["meet", "next"]] and offer["above"] == []
    assert maya.get(address("places", journey), {"step": "no"}).status_code == 422


def test_deleting_a_branch_with_full_paths_asks_first_and_keeps_the_chosen_one(maya, journey):
    asked = post(maya, journey, "remove", step="check")
    assert asked.status_code == 200 and set(asked.json()) == {"ask"}
    assert "1 step would go: First" in asked.json()["ask"]
    assert "&lt;b&gt;Second&lt;/b&gt;" in asked.json()["ask"] and "<b>Second" not in asked.json()["ask"]
    assert Workflow.objects.get().draft_revision == 1
    assert post(maya, journey, "remove", step="check", keep="else").status_code == 200
    assert steps().keys() == {"two", "meet"}


def test_a_change_of_what_was_changed_meanwhile_is_refused_and_names_who_did(maya, user, journey):
    ola = user("ola", "change_workflow")
    assert post(maya, journey, "rename", 1, name="Mayas").status_code == 200
    answer = post(ola, journey, "rename", 1, name="Olas")
    assert answer.status_code == 409
    assert answer.json()["message"] == "Maya Okoye changed this journey meanwhile."
    assert Workflow.objects.get().name == "Mayas"
    again = post(maya, journey, "rename", 1, name="Mine")
    assert again.json()["message"] == "You changed this journey meanwhile, in another window."
    for revision in ("", "x", "9" * 5000, "-1"):
        assert post(ola, journey, "rename", revision, name="Olas").status_code == 409  # type: ignore[arg-type]


def test_what_changes_nothing_leaves_no_trace(maya, journey):
    answer = post(maya, journey, "move", step="one", target_step="check", target_port="yes")
    assert answer.json()["said"] == "“First” stays where it is"
    assert Workflow.objects.get().draft_revision == 1 and DraftRevision.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("no_such", {}),
        ("insert", {"step": "one"}),
        ("insert", {"step": "one", "port": "next", "kind": "no_such"}),
        ("insert", {"step": "one", "port": "no", "kind": "wait"}),
        ("remove", {"step": "no"}),
        ("rename", {"name": "with \x00 in it"}),
        ("undo", {}),
        ("redo", {}),
        ("go_back", {"number": "77"}),
        ("go_back", {"number": "x"}),
    ],
)
def test_what_cannot_be_done_says_so_and_changes_nothing(maya, journey, name, told):
    answer = post(maya, journey, name, **told)
    assert answer.status_code == 422 and answer.json()["message"].endswith(".")
    assert Workflow.objects.get().draft_revision == 1


def test_an_archived_journey_is_not_changed(maya, journey):
    Workflow.objects.update(status="draft")
    publish(DRAFT)
    publishing.archive(slug=DRAFT["slug"], now=clock.now())
    assert post(maya, journey, "rename", name="No").status_code == 422


def test_the_key_of_a_published_step_is_not_used_again(maya, journey):
    publish(DRAFT | {"steps": {**DRAFT["steps"], "meet": step("wait", mode="duration", **{"for": "P1D"})}})
    publish(DRAFT | {"steps": {**DRAFT["steps"], "wait": DRAFT["steps"]["meet"], "meet": step("add_tag", **TAG)}})
    publishing.save_draft(definition=DRAFT, now=clock.now())
    assert post(maya, journey, "insert", step="meet", port="next", kind="wait").json()["step"] == "wait-2"


def test_the_history_names_who_when_and_what_and_leads_back(maya, user, journey):
    post(maya, journey, "rename", name="<i>New</i>")
    post(user("ola", "change_workflow"), journey, "undo")
    page = maya.get(address("changes", journey)).content.decode()
    assert "Undone: Renamed to “&lt;i&gt;New&lt;/i&gt;”" in page and "<i>New" not in page
    assert "Maya Okoye" in page and "ola" in page and "UTC" in page
    answer = post(maya, journey, "go_back", number="2")
    assert answer.json()["said"] == "Went back to: Renamed to “<i>New</i>”"
    assert Workflow.objects.get().draft["name"] == "<i>New</i>" and Workflow.objects.get().draft_revision == 4
    assert post(maya, journey, "undo").status_code == 200
    assert Workflow.objects.get().draft == DRAFT
