"""Drafts: saved unfinished, never overwritten unseen, published only when sound."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from workflows.models import Workflow, WorkflowVersion
from workflows.spelling import ordered, spelled


def page_of(workflow: Workflow) -> str:
    return reverse("admin:workflows_workflow_text", args=[workflow.pk])


def builder_of(workflow: Workflow) -> str:
    return reverse("admin:workflows_workflow_change", args=[workflow.pk])


def test_an_unfinished_draft_is_saved_and_its_problems_are_shown(maya, town):
    draft = {"slug": "first-order", "name": "Half a journey"}
    answer = maya.post(page_of(town.journey), {"draft": json.dumps(draft), "as": "json", "revision": 2}, follow=True)
    page = answer.content.decode()
    assert "The draft is saved." in page
    assert 'data-field="entry"' in page
    town.journey.refresh_from_db()
    assert (town.journey.draft, town.journey.draft_revision) == (draft, 3)
    assert town.journey.live_version.definition["start"] == "thanks"


def test_an_unsound_draft_is_saved_but_not_published(maya, town):
    draft = {**town.journey.draft, "start": "nowhere"}
    before = WorkflowVersion.objects.count()
    answer = maya.post(
        page_of(town.journey), {"draft": json.dumps(draft), "as": "json", "revision": 2, "_publish": ""}, follow=True
    )
    assert "Saved, but not published" in answer.content.decode()
    assert 'data-field="start"' in answer.content.decode()
    town.journey.refresh_from_db()
    assert town.journey.draft["start"] == "nowhere"
    assert WorkflowVersion.objects.count() == before


def test_publishing_makes_the_next_version_and_names_who_did_it(maya, town):
    text = maya.get(page_of(town.journey), {"as": "json"}).context["text"]
    maya.post(page_of(town.journey), {"draft": text, "as": "json", "revision": 2, "_publish": ""})
    town.journey.refresh_from_db()
    assert (town.journey.live_version.number, town.journey.live_version.published_by) == (2, "maya")
    assert "draft has changes" not in maya.get(page_of(town.journey)).content.decode()


def test_a_draft_that_somebody_else_saved_meanwhile_is_not_overwritten(maya, town):
    mine, theirs = {"slug": "first-order", "name": "Mine"}, {"slug": "first-order", "name": "Theirs"}
    maya.post(page_of(town.journey), {"draft": json.dumps(theirs), "as": "json", "revision": 2})
    answer = maya.post(page_of(town.journey), {"draft": json.dumps(mine), "as": "json", "revision": 2})
    assert answer.status_code == 409
    assert "Somebody saved this draft" in answer.content.decode()
    assert answer.context["text"] == json.dumps(mine)
    town.journey.refresh_from_db()
    assert town.journey.draft == theirs


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"slug": "first-order",}', "Line 1, column 24"),
        ("[1, 2]", "A definition is an object"),
        ('{"slug": "first-order", "n": NaN}', "is not a number that JSON can hold"),
        ('{"slug": "first-order", "n": 1e400}', "is not a number that JSON can hold"),
        ('{"slug": "first-order", "n": "\\u0000"}', "U+0000"),
        ('{"slug": "first-order", "n": "\\ud800"}', "surrogate"),
        ('{"slug": "first-order", "slug": "first-order"}', "twice"),
        ('{"slug": "first-order", "n": ' + "[" * 3000 + "]" * 3000 + "}", "nested"),
        ('{"slug": "another"}', "The slug must stay"),
        ('{"slug": "Not a slug"}', "needs a slug"),
        ("{}", "needs a slug"),
        ("", "Line 1"),
    ],
)
def test_what_cannot_be_a_draft_is_refused_with_its_reason_and_kept_in_the_editor(maya, town, text, said):
    answer = maya.post(page_of(town.journey), {"draft": text, "as": "json", "revision": 2})
    assert said in answer.content.decode()
    assert answer.context["text"] == text
    before = town.journey.draft
    town.journey.refresh_from_db()
    assert town.journey.draft == before


def test_the_problems_of_a_text_are_told_without_storing_it(maya, town):
    check = reverse("admin:workflows_workflow_check")
    broken = json.dumps({**town.journey.draft, "start": "nowhere"})
    assert 'data-field="start"' in maya.post(check, {"draft": broken, "as": "json"}).content.decode()
    assert "No problems" in maya.post(check, {"draft": json.dumps(town.journey.draft), "as": "json"}).content.decode()
    assert "not JSON" in maya.post(check, {"draft": "{", "as": "json"}).content.decode()
    assert Workflow.objects.get(pk=town.journey.pk).draft_revision == 2


def test_only_what_never_ran_can_be_deleted(maya, town):
    def delete(workflow: Workflow) -> int:
        return maya.post(reverse("admin:workflows_workflow_delete", args=[workflow.pk]), {"post": "yes"}).status_code

    assert delete(town.journey) == 403
    assert delete(town.broken_draft) == 302
    assert set(Workflow.objects.values_list("slug", flat=True)) >= {"first-order"}
    assert not Workflow.objects.filter(slug="winter-sale").exists()


def test_pause_resume_and_archive_do_what_they_say(maya, town):
    def do(name: str) -> tuple[str, str]:
        url = reverse("admin:workflows_workflow_deed", args=[town.journey.pk, name])
        page = maya.post(url, follow=True).content.decode()
        return Workflow.objects.get(pk=town.journey.pk).status, page

    assert do("pause")[0] == "paused"
    assert "Not done: this workflow is paused" in do("pause")[1]
    assert do("resume")[0] == "live"
    status, page = do("archive")
    assert status == "archived"
    assert 'id="builder-publish-button"' not in page and 'id="builder-name"' not in page


def test_the_list_shows_the_status_and_the_numbers(maya):
    page = maya.get(reverse("admin:workflows_workflow_changelist")).content.decode()
    assert "Live v1, draft has changes" in page
    assert "Paused v1" in page
    rows = {
        row.slug: row.shown
        for row in maya.get(reverse("admin:workflows_workflow_changelist")).context["cl"].result_list
    }
    assert (rows["first-order"].entered, rows["winter-sale"]) == (24, None)


def test_a_definition_reads_in_the_order_in_which_it_is_met():
    definition = {
        "steps": {
            "z": {
                "next": {"else": None, "a": "y"},
                "type": "branch",
                "config": {"arms": [{"if": {"op": "eq"}, "key": "a"}]},
            },
            "y": {"type": "exit", "next": {}},
            "b": {"type": "exit"},
        },
        "start": "z",
        "slug": "s",
        "schema": 1,
        "more": [1],
    }
    text = spelled(definition)
    assert json.loads(text) == definition
    assert list(ordered(definition)) == ["schema", "slug", "start", "steps", "more"]
    assert list(ordered(definition)["steps"]) == ["z", "y", "b"]
    assert list(ordered(definition)["steps"]["z"]) == ["type", "config", "next"]
    assert list(ordered(definition)["steps"]["z"]["next"]) == ["a", "else"]
    assert '{"key": "a", "if": {"op": "eq"}}' in text
    assert spelled("not a definition") == '"not a definition"'
