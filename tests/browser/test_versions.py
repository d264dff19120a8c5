"""Versions and the edit plan in Chromium: compared, restored, tried, carried out and undone with mouse and keyboard."""

from __future__ import annotations

import copy

import pytest
from django.urls import reverse

from contacts import clock
from tests.browser.visit import expect, visiting
from tests.inhabited import inhabit
from workflows import publishing
from workflows.models import EditPlan, Workflow

pytestmark = pytest.mark.django_db(transaction=True)

LOOKS = {"light": {}, "dark": {"dark": True}, "telephone": {"width": 390, "height": 844}}


@pytest.fixture
def journey(transactional_db) -> Workflow:
    """A second version: a longer wait, a new step, and one that is gone."""
    town = inhabit(now=clock.now())
    draft = copy.deepcopy(Workflow.objects.get(pk=town.journey.pk).live_version.definition)
    steps = draft["steps"]
    wait = next(key for key, step in steps.items() if step["type"] == "wait")
    last = next(key for key, step in steps.items() if step.get("next") == {"next": None})
    for step in steps.values():
        step["next"] = {port: "more" if to == last else to for port, to in step["next"].items()}
    del steps[last]
    steps[wait]["config"] = {"mode": "duration", "for": "P9D"}
    steps["more"] = {"type": "add_tag", "name": "Tag as patient", "config": {"tag": "patient"}, "next": {"next": None}}
    draft["settings"]["max_duration"] = "P90D"
    publishing.save_draft(definition=draft, now=clock.now())
    publishing.publish(slug=draft["slug"], by="maya", note="Wait longer, ask less", now=clock.now())
    return Workflow.objects.get(pk=town.journey.pk)


def address(name: str, journey: Workflow) -> str:
    return reverse(f"admin:workflows_workflow_{name}", args=[journey.pk])


@pytest.mark.parametrize("look", LOOKS)
def test_the_pages_fit_their_window_and_complain_of_nothing(browser, live_server, journey, look):
    EditPlan.objects.create(
        workflow=journey, to_version=journey.live_version, decisions={}, state="applied", moved=12, made_by="maya",
        made_at=clock.now(), finished_at=clock.now(),
    )  # fmt: skip
    with visiting(browser, live_server.url, **LOOKS[look]) as visitor:
        for path in (
            address("versions", journey),
            address("compare", journey) + "?from=1&to=2",
            address("plan", journey),
            address("plan", journey) + "?proposals",
        ):
            visitor.go(path)
            assert visitor.complaints == [], path
            assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_a_plan_is_tried_carried_out_and_undone_with_the_keyboard(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(address("plan", journey))
        choices = page.locator(".ve-plan select")
        assert choices.count() >= 2
        choices.first.select_option("exit")
        page.get_by_role("button", name="Try it").press("Enter")
        page.get_by_text("Nothing was done yet.").wait_for()
        expect(choices.first).to_have_value("exit")
        for number in range(choices.count()):
            choices.nth(number).select_option("move:more")
        page.get_by_role("button", name="Carry it out").press("Enter")
        page.get_by_text("Nobody is under way in an older version").wait_for()
        page.get_by_role("button", name="Undo").press("Enter")
        page.locator(".cl-popover:popover-open").get_by_role("button", name="Undo").press("Enter")
        page.get_by_text("Whoever has not gone on since is put back").wait_for()
        plan = EditPlan.objects.get()
        assert plan.state == "undone" and plan.put_back == plan.moved > 0


def test_a_running_plan_is_watched_until_it_is_done(browser, live_server, journey):
    plan = EditPlan.objects.create(
        workflow=journey, to_version=journey.live_version, decisions={}, moved=1000, made_at=clock.now()
    )
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(address("plan", journey))
        page.locator("[data-moved]", has_text="1,000").wait_for()
        EditPlan.objects.filter(pk=plan.pk).update(moved=2000)
        page.locator("[data-moved]", has_text="2,000").wait_for()
        EditPlan.objects.filter(pk=plan.pk).update(state="applied", finished_at=clock.now())
        page.get_by_text("Carried out", exact=True).wait_for()
        expect(page.locator("[data-plan]")).to_have_count(0)


def test_a_version_is_restored_after_a_question(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(address("versions", journey))
        page.get_by_role("button", name="Restore").last.click()
        page.locator(".cl-popover:popover-open").get_by_role("button", name="Restore").click()
        page.get_by_text("The draft says what version 1 said").wait_for()
        journey.refresh_from_db()
        assert journey.draft == journey.versions.get(number=1).definition
