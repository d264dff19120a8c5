"""Two versions of a journey on one map: what is new, changed or gone is said there and in sentences beside it."""

from __future__ import annotations

import copy

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from contacts import clock
from tests import journeys
from tests.journeys import definition, step
from workflows import publishing
from workflows.models import Workflow

pytestmark = pytest.mark.django_db

FIRST = definition(
    {
        "tag": step("add_tag", {"next": "pause"}, tag="seen"),
        "pause": step("wait", {"next": "last"}, mode="duration", **{"for": "P1D"}),
        "last": step("add_tag", tag="done"),
    }
)


@pytest.fixture
def maya(client) -> Client:
    client.force_login(User.objects.create_superuser("maya", "maya@example.com", "correct horse"))
    return client


@pytest.fixture
def journey() -> Workflow:
    """Its second version waits longer, ends with another step, and lets people in again."""
    journeys.publish(FIRST)
    second = copy.deepcopy(FIRST)
    second["steps"]["pause"] = step("wait", {"next": "more"}, mode="duration", **{"for": "P2D"})
    second["steps"]["more"] = step("add_tag", tag="more")
    del second["steps"]["last"]
    second["entry"]["re_entry"] = {"policy": "every_time"}
    journeys.publish(second)
    return Workflow.objects.get()


def compared(client: Client, journey: Workflow, query: str = ""):
    return client.get(reverse("admin:workflows_workflow_compared", args=[journey.pk]) + query)


def test_what_is_new_or_changed_is_marked_on_its_card_and_what_is_gone_is_told_beside_the_map(maya, journey):
    page = compared(maya, journey, "?from=1&to=2")
    assert page.context["marks"] == {".trigger": "changed", "pause": "changed", "more": "new"}
    told = {(row.key, mark): card for row, mark, card in page.context["different"] if row.key}
    assert {(key, card) for (key, _), card in told.items()} == {("pause", "pause"), ("more", "more"), ("last", "")}
    html = page.content.decode()
    assert 'id="card-last"' not in html
    assert 'jb-is-new" id="card-more"' in html and 'jb-is-changed" id="card-pause"' in html
    assert "jb-is-" not in html.partition('id="card-tag"')[0].rpartition("<div")[2]
    assert "2 days" in html.partition("What changed")[2]


def test_backwards_what_was_new_is_gone(maya, journey):
    page = compared(maya, journey, "?from=2&to=1")
    assert page.context["marks"] == {".trigger": "changed", "pause": "changed", "last": "new"}


def test_the_live_version_is_compared_with_the_draft_unless_another_is_asked_for(maya, journey):
    page = compared(maya, journey)
    assert (page.context["from"], page.context["to"], page.context["marks"]) == ("2", "draft", {})
    assert "Nothing: both say the same" in page.content.decode()
    publishing.save_draft(definition=FIRST, now=clock.now())
    assert compared(maya, journey).context["marks"]["last"] == "new"


def test_nothing_on_the_map_of_two_versions_can_be_changed(maya, journey):
    html = compared(maya, journey, "?from=1&to=2").content.decode()
    assert "jb-plus" not in html and "data-operation" not in html and "data-publish" not in html


@pytest.mark.parametrize("query", ["?from=9", "?from=x", "?to=²", "?to=99999999999"])
def test_a_version_that_is_not_there_is_not_found(maya, journey, query):
    assert compared(maya, journey, query).status_code == 404


def test_what_was_never_published_has_nothing_to_compare(maya):
    publishing.save_draft(definition=FIRST, now=clock.now())
    assert compared(maya, Workflow.objects.get()).status_code == 404


def test_restoring_warns_where_the_draft_says_what_no_version_says(maya, journey):
    page = reverse("admin:workflows_workflow_versions", args=[journey.pk])
    assert "never published" not in maya.get(page).content.decode()
    publishing.save_draft(definition={**FIRST, "name": "Another"}, now=clock.now())
    assert "never published" in maya.get(page).content.decode()
