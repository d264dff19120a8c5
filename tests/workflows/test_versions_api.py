"""Versions, files and edit plans over HTTP."""

from __future__ import annotations

import copy
import json

import pytest
from django.db import transaction

from contacts import access, clock
from scoring.lifecycle import labels
from tests import journeys
from tests.journeys import definition, step
from workflows.definition import reading
from workflows.editing import edit_moves
from workflows.models import EditPlan, Enrolment, Workflow

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = {
    "pause": step("wait", {"next": "tag"}, mode="duration", **{"for": "P3D"}),
    "tag": step("add_tag", tag="t"),
}
ONE = definition(STEPS)
TWO = definition({**STEPS, "tag": step("add_tag", tag="other")}, settings={"priority": 9})
ALL = ("workflows:read", "workflows:write", "workflows:publish")


@pytest.fixture
def call(client):
    """Call the API with a key of these scopes; returns the response."""

    def send(method: str, path: str, body=None, *, scopes=ALL, **headers):
        with transaction.atomic():
            key = access.create_key(name="test", kind="secret", scopes=list(scopes), now=clock.now())
        return client.generic(
            method, f"/api/v1/workflows{path}", "" if body is None else json.dumps(body),
            content_type="application/json", headers={"Authorization": f"Bearer {key}", **headers},
        )  # fmt: skip

    return send


@pytest.fixture
def two_versions(call):
    for document, note in ((ONE, "The first"), (TWO, "")):
        call("POST", "/", document)
        assert call("POST", "/journey/publish", {"note": note}).status_code == 200


@pytest.fixture
def under_way():
    """Three people who wait in version 1 while version 2 is live."""
    journeys.publish(ONE)
    ids = journeys.contacts(3)
    journeys.track(ids, "signed_up")
    journeys.run()
    journeys.publish(TWO)
    return ids


def test_a_version_is_shown_with_its_sentences_and_what_changed(call, two_versions):
    first, second = (call("GET", f"/journey/versions/{n}").json() for n in (1, 2))
    assert (first["number"], first["note"], first["definition"]) == (1, "The first", ONE)
    assert first["changes"] == [] and first["sentences"]["steps"] == {
        "pause": "Wait 3 days", "tag": "Add the tag “t”",
    }  # fmt: skip
    assert [(each["step"], each["field"]) for each in second["changes"]] == [
        (None, "settings.priority"), ("tag", "config.tag"),
    ]  # fmt: skip


def test_stages_are_said_as_the_company_calls_them_in_versions_and_what_changed(call):
    for stage in ("mql", "sql"):
        call("POST", "/", {**ONE, "entry": {"trigger": {"type": "lifecycle_changed", "to": stage}}})
        assert call("POST", "/journey/publish", {}).status_code == 200
    with transaction.atomic():
        labels.rename({"sql": "In talks"})
    shown = call("GET", "/journey/versions/2").json()
    assert "“In talks”" in shown["sentences"]["entry"][0]
    for changes in (shown["changes"], call("GET", "/journey/versions/1/diff?to=2").json()["changes"]):
        assert ["“In talks”" in each["sentence"] for each in changes] == [True]


@pytest.mark.parametrize("slash", ["", "/"])
def test_any_two_versions_and_the_draft_are_compared(call, two_versions, slash):
    there = call("GET", f"/journey/versions/1/diff{slash}?to=2").json()
    assert (there["from"], there["to"], len(there["changes"])) == (1, 2, 2)
    assert there["changes"][1] == {
        "step": "tag", "kind": "changed", "field": "config.tag", "before": "t", "after": "other",
        "sentence": "“Add tag”: tag is “other” (was “t”)",
    }  # fmt: skip
    assert len(call("GET", f"/journey/versions/2/diff{slash}?to=1").json()["changes"]) == 2
    assert call("GET", f"/journey/versions/2/diff{slash}").json() == {"from": 2, "to": "draft", "changes": []}


@pytest.mark.parametrize(
    "path",
    [
        "/journey/versions/9", "/journey/versions/1/diff?to=9", "/journey/versions/1/diff?to=x", "/nobody/plan",
        "/journey/versions/9/restore", "/journey/export?version=9", "/nobody/versions/1",
        "/journey/export?version=1%00",
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_found(call, two_versions, path):
    answer = call("POST" if path.endswith("restore") else "GET", path)
    assert answer.status_code == 404 and answer.headers["Content-Type"] == "application/problem+json"


def test_a_version_goes_back_into_the_draft_unless_somebody_else_wrote_it(call, two_versions):
    assert call("POST", "/journey/versions/1/restore", **{"If-Match": '"1"'}).status_code == 412
    answer = call("POST", "/journey/versions/1/restore", **{"If-Match": '"2"'})
    assert answer.status_code == 200 and answer.headers["ETag"].startswith('"3-')
    assert answer.json()["definition"] == ONE and answer.json()["live_version"] == 2
    assert call("POST", "/journey/publish").json()["live_version"] == 3
    hashes = [row["definition_hash"] for row in call("GET", "/journey/versions").json()["results"]]
    assert hashes[0] == hashes[2] != hashes[1]


def test_an_archived_workflow_is_restored_no_more(call, two_versions):
    call("POST", "/journey/archive")
    assert call("POST", "/journey/versions/1/restore").status_code == 409


def test_files_come_out_the_same_and_go_in_again(call, two_versions):
    yaml, again = (call("GET", "/journey/export") for _ in range(2))
    assert yaml.content == again.content and yaml.headers["Content-Type"].startswith("application/yaml")
    assert reading.read(yaml.content.decode()) == TWO
    old = call("GET", "/journey/export/?format=json&version=1")
    assert json.loads(old.content) == ONE and "journey-v1.json" in old.headers["Content-Disposition"]
    assert call("GET", "/journey/export?format=xml").status_code == 400


def test_a_note_that_is_too_long_or_no_text_is_refused(call, two_versions):
    for note in ("x" * 501, ["x"], {"a": 1}):
        assert call("POST", "/journey/publish", {"note": note}).status_code == 400
    assert call("POST", "/journey/publish", [1]).status_code == 400


def test_a_definition_that_is_too_large_or_too_deep_is_not_stored(call):
    large = definition({f"s{n}": step("add_tag", tag="x" * 10_000) for n in range(150)}, slug="large")
    answer = call("POST", "/", large)
    assert answer.status_code == 413 and "1000000 bytes" in answer.json()["detail"]
    wide = {**ONE, "slug": "wide", "steps": {f"s{n}": step("exit", {}) for n in range(3000)}}
    answer = call("POST", "/", wide)
    assert answer.status_code == 400 and answer.json()["errors"][0]["loc"] == ["steps"]
    assert not Workflow.objects.exists()


@pytest.mark.parametrize(("answer", "policy"), [(True, "after_exit"), (False, "never")])
@pytest.mark.parametrize("place", ["definition", "entry"])
def test_allow_re_entry_is_taken_as_a_policy(call, answer, policy, place):
    document = copy.deepcopy(ONE)
    del document["entry"]["re_entry"]
    (document if place == "definition" else document["entry"])["allow_re_entry"] = answer
    stored = call("POST", "/", document).json()
    assert stored["problems"] == [] and stored["definition"]["entry"]["re_entry"] == {"policy": policy}


def test_allow_re_entry_beside_a_policy_is_a_problem(call):
    stored = call("POST", "/", {**ONE, "allow_re_entry": True}).json()
    assert [problem["field"] for problem in stored["problems"]] == ["allow_re_entry"]


def test_the_plan_counts_proposes_tries_moves_and_takes_back(call, under_way):
    seen = call("GET", "/journey/plan").json()
    assert (seen["to_version"], seen["people"], seen["plans"]) == (2, 3, [])
    (row,) = seen["steps"]
    assert (row["step"], row["waiting"], row["versions"], row["change"]) == ("pause", 3, {"1": 3}, "unchanged")
    assert row["proposal"] == {"do": "move", "to": "pause"}
    tried = call("POST", "/journey/plan/", {"decisions": {"pause": row["proposal"]}, "dry_run": True}).json()
    assert (tried["move"], tried["exit"], tried["stay"], tried["plan"]) == (3, 0, 0, None)
    assert not EditPlan.objects.exists()
    done = call("POST", "/journey/plan", {"decisions": {"pause": "move"}, "dry_run": False, "to_version": 2})
    plan = done.json()["plan"]
    assert done.status_code == 200 and (plan["state"], plan["moved"], plan["made_by"]) == ("applied", 3, "key test")
    assert call("GET", "/journey/plan").json()["people"] == 0
    assert call("GET", f"/journey/plan/{plan['id']}").json() == plan
    undone = call("POST", f"/journey/plan/{plan['id']}/undo/")
    assert undone.status_code == 200 and undone.json()["put_back"] == 3
    assert call("POST", f"/journey/plan/{plan['id']}/undo").status_code == 409
    assert call("GET", "/journey/plan").json()["people"] == 3


def test_many_people_are_moved_after_the_answer_slice_by_slice(call, under_way, monkeypatch):
    monkeypatch.setattr(edit_moves.carry_on, "__kwdefaults__", {"limit": 2})
    answer = call("POST", "/journey/plan", {"decisions": {"pause": "move"}, "dry_run": False})
    plan = answer.json()["plan"]
    assert answer.status_code == 202 and (plan["state"], plan["moved"]) == ("applying", 2)
    assert call("POST", "/journey/plan", {"decisions": {"pause": "exit"}, "dry_run": False}).status_code == 409
    assert call("POST", f"/journey/plan/{plan['id']}/undo").status_code == 409
    with transaction.atomic():
        assert edit_moves.work_batch(clock.now())
    assert call("GET", f"/journey/plan/{plan['id']}").json()["moved"] == 3
    assert not edit_moves.work_batch(clock.now())


@pytest.mark.parametrize(
    ("decisions", "place"),
    [
        ({"nowhere": "stay"}, ["decisions", "nowhere"]),
        ({"pause": "fly"}, ["decisions", "pause"]),
        ({"pause": None}, ["decisions", "pause"]),
        ({"pause": {"do": "move", "to": "gone"}}, ["decisions", "pause", "to"]),
        ({"pause": {"do": "move", "to": ["tag"]}}, ["decisions", "pause", "to"]),
        ({"pause": {"do": "exit", "to": "tag"}}, ["decisions", "pause", "to"]),
        ({"pause": {"do": ["move"]}}, ["decisions", "pause"]),
        ({"pause": {"do": "stay", "more": 1}}, ["decisions", "pause"]),
        ([], ["decisions"]),
        ("exit", ["decisions"]),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_wrong_decision_is_refused_at_its_place(call, under_way, decisions, place, dry_run):
    answer = call("POST", "/journey/plan", {"decisions": decisions, "dry_run": dry_run})
    assert answer.status_code == 400 and answer.json()["errors"][0]["loc"] == place
    assert not EditPlan.objects.exists() and Enrolment.objects.filter(state="waiting").count() == 3


def test_a_plan_for_a_version_that_is_no_longer_live_is_refused(call, under_way):
    answer = call("POST", "/journey/plan", {"decisions": {"pause": "move"}, "dry_run": False, "to_version": 1})
    assert answer.status_code == 409 and "Version 2 is live" in answer.json()["detail"]


def test_there_is_no_plan_where_nothing_is_live(call):
    call("POST", "/", ONE)
    assert call("GET", "/journey/plan").status_code == 409


def test_each_address_takes_its_scope_and_no_other(call, under_way):
    read, write = ("workflows:read",), ("workflows:write",)
    body = {"decisions": {"pause": "exit"}, "dry_run": False}
    assert call("POST", "/journey/plan", body, scopes=(*read, *write)).status_code == 403
    assert call("POST", "/journey/versions/1/restore", scopes=read).status_code == 403
    for path in ("/journey/plan", "/journey/versions/1", "/journey/versions/1/diff", "/journey/export"):
        assert call("GET", path, scopes=write).status_code == 403
        assert call("GET", path, scopes=read).status_code == 200
