"""The pages of versions and of the edit plan: what changed is said, restored and decided by those who may."""

from __future__ import annotations

import copy
import json

import pytest
from django.urls import reverse

from contacts import clock
from workflows import publishing
from workflows.models import EditPlan, Enrolment, Workflow


@pytest.fixture
def journey(town) -> Workflow:
    """With a second version that changed a wait and lost a step."""
    workflow = Workflow.objects.get(pk=town.journey.pk)
    draft = copy.deepcopy(workflow.live_version.definition)
    wait = next(key for key, step in draft["steps"].items() if step["type"] == "wait")
    draft["steps"][wait]["config"] = {"mode": "duration", "for": "P9D"}
    publishing.save_draft(definition=draft, now=clock.now())
    publishing.publish(slug=workflow.slug, by="maya", note="Wait for longer", now=clock.now())
    workflow.refresh_from_db()
    return workflow


def page(name: str, workflow: Workflow, *args) -> str:
    return reverse(f"admin:workflows_workflow_{name}", args=[workflow.pk, *args])


def test_two_versions_stand_side_by_side_with_what_changed_in_words(maya, journey):
    text = maya.get(page("compare", journey) + "?from=1&to=2").content.decode()
    assert "its length is 9 days (was" in text and "Wait 9 days" in text and "Changed" in text
    assert "Nothing: both say the same." in maya.get(page("compare", journey) + "?from=2&to=2").content.decode()
    assert "Nothing: both say the same." in maya.get(page("compare", journey)).content.decode()


@pytest.mark.parametrize("query", ["from=9", "from=x", "to=9", "to=%00", "from=" + "9" * 30])
def test_versions_that_are_not_there_are_not_found(maya, journey, query):
    assert maya.get(f"{page('compare', journey)}?{query}").status_code == 404


def test_the_list_tells_what_is_new_and_a_version_is_restored_to_the_draft(maya, journey):
    assert "Wait for longer" in maya.get(page("versions", journey)).content.decode()
    revision = journey.draft_revision
    answer = maya.post(page("restore", journey, 1), {"revision": revision}, follow=True)
    assert "The draft says what version 1 said" in answer.content.decode()
    journey.refresh_from_db()
    assert journey.draft == journey.versions.get(number=1).definition and journey.live_version.number == 2
    answer = maya.post(page("restore", journey, 2), {"revision": revision}, follow=True)
    assert "nothing was overwritten" in answer.content.decode()


def test_publishing_keeps_the_note_and_offers_a_plan_for_those_under_way(maya, town):
    journey = Workflow.objects.get(pk=town.journey.pk)
    changed = {**journey.live_version.definition, "name": "Renamed"}
    assert Enrolment.objects.filter(workflow=journey, finished_at=None).exists()
    data = {
        "draft": json.dumps(changed),
        "as": "json",
        "revision": journey.draft_revision,
        "_publish": "",
        "note": "A name",
    }
    text = maya.post(reverse("admin:workflows_workflow_text", args=[journey.pk]), data, follow=True).content.decode()
    assert "under way in older versions" in text and page("plan", journey) in text
    journey.refresh_from_db()
    assert journey.live_version.note == "A name"


def test_a_plan_is_tried_then_carried_out_then_undone(maya, journey):
    rows = maya.get(page("plan", journey)).context["rows"]
    assert rows and all(row["value"] == "stay" for row in rows)
    people = sum(row["standing"].people for row in rows)
    form = {row["field"]: f"move:{row['standing'].step}" for row in rows} | {"to_version": 2}
    tried = maya.post(page("plan", journey), {**form, "_try": ""})
    assert f"This would move {people}" in tried.content.decode()
    assert not EditPlan.objects.exists()
    done = maya.post(page("plan", journey), {**form, "_apply": ""}, follow=True).content.decode()
    assert f"Done: {people} moved, 0 left." in done and "Nobody is under way" in done
    plan = EditPlan.objects.get()
    assert (plan.state, plan.moved, plan.made_by) == ("applied", people, "maya")
    progress = maya.get(page("plan_progress", journey, plan.pk)).json()
    assert progress["running"] is False and progress["moved"] == people
    maya.post(page("plan_undo", journey, plan.pk))
    plan.refresh_from_db()
    assert (plan.state, plan.put_back) == ("undone", people)


def test_a_plan_for_another_version_and_a_wrong_choice_change_nothing(maya, journey):
    rows = maya.get(page("plan", journey)).context["rows"]
    field = rows[0]["field"]
    old = maya.post(page("plan", journey), {field: "exit", "to_version": 1, "_apply": ""})
    assert "published meanwhile" in old.content.decode()
    wrong = maya.post(page("plan", journey), {field: "move:nowhere", "to_version": 2, "_apply": ""})
    assert "has no step" in wrong.content.decode()
    nothing = maya.post(page("plan", journey), {field: "stay", "to_version": 2, "_apply": ""})
    assert "nothing to do" in nothing.content.decode()
    assert not EditPlan.objects.exists()


def test_a_plan_under_way_shows_a_bar_and_no_second_one_can_be_begun(maya, journey):
    EditPlan.objects.create(workflow=journey, to_version=journey.live_version, decisions={}, made_at=clock.now())
    text = maya.get(page("plan", journey)).content.decode()
    assert "data-plan=" in text and 'name="_try"' not in text
    field = maya.get(page("plan", journey)).context["rows"][0]["field"]
    again = maya.post(page("plan", journey), {field: "exit", "to_version": 2, "_apply": ""})
    assert "being carried out" in again.content.decode() and EditPlan.objects.count() == 1


def test_only_who_may_publish_moves_people(staff, journey):
    reader = staff("workflows.view_workflow", "workflows.change_workflow")
    text = reader.get(page("plan", journey)).content.decode()
    assert 'name="_try"' not in text
    assert reader.post(page("plan", journey), {"_apply": ""}).status_code == 403
    assert reader.post(page("plan_undo", journey, 1)).status_code == 403
    only_looks = staff("workflows.view_workflow")
    assert only_looks.post(page("restore", journey, 1), {"revision": journey.draft_revision}).status_code == 403
    nobody = staff()
    for name in ("plan", "compare", "versions"):
        assert nobody.get(page(name, journey)).status_code == 403


def test_a_journey_that_was_never_published_has_no_plan(maya, town):
    assert maya.get(page("plan", town.broken_draft)).status_code == 404
    assert maya.get(page("compare", town.broken_draft)).status_code == 404


def test_the_list_says_how_many_are_in_each_version_and_how_many_are_done(maya, journey):
    listed = dict(maya.get(page("versions", journey)).context["versions"])
    of = Enrolment.objects.filter(workflow=journey, version__number=1)
    first = next(counted for version, counted in listed.items() if version.number == 1)
    here, done = of.filter(finished_at=None).count(), of.exclude(finished_at=None).count()
    assert here and done and (first.here_now, first.done) == (here, done)
    assert next(counted for version, counted in listed.items() if version.number == 2) is None
