"""The frame of the builder in Chromium: begin a journey, choose what starts it, follow problems, rename, publish."""

from __future__ import annotations

import pytest
from django.urls import reverse

from contacts import clock
from tests.browser.visit import becomes, expect, visiting
from tests.inhabited import Inhabited, inhabit
from workflows.models import Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db(transaction=True)

SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def town(transactional_db) -> Inhabited:
    return inhabit(now=clock.now(), contacts=12)


def builder_of(workflow: Workflow) -> str:
    return reverse("admin:workflows_workflow_change", args=[workflow.pk])


def begun(visitor) -> Workflow:
    visitor.go(reverse("admin:workflows_workflow_add"))
    visitor.page.get_by_role("button", name="Start from scratch").click()
    expect(visitor.page.locator("#builder-stage")).to_be_visible()
    return Workflow.objects.get(slug="new-journey")


def test_from_scratch_to_a_live_journey(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        journey = begun(visitor)
        expect(page.locator(".jb-card")).to_have_count(1)
        expect(page.locator(".jb-plus")).to_have_count(1)
        expect(page.locator("#builder-problems summary")).to_contain_text("2 problems")
        page.locator(".jb-card .jb-hit").click()
        page.locator("#field-trigger-type").select_option("form_submitted")
        page.get_by_label("Form", exact=True).fill("Start trial")
        page.get_by_role("button", name="Save trigger").click()
        expect(page.locator(".jb-card")).to_contain_text("Start trial")
        expect(page.locator("#builder-problems summary")).to_contain_text("1 problem")
        page.locator(".jb-plus").click()
        page.locator("#builder-menu [data-kind=exit]").click()
        expect(page.locator("#builder-ready")).to_be_visible()
        page.get_by_role("button", name="Publish", exact=True).click()
        page.get_by_role("button", name="Publish v1").click()
        expect(page.locator("#builder-bar .cl-pill")).to_have_text("Live v1")
        expect(page.locator("#builder-publishing h3")).to_have_text("v1 is live")
        page.get_by_role("button", name="Done").click()
        expect(page.get_by_role("button", name="Publish", exact=True)).to_be_focused()
        journey.refresh_from_db()
        assert WorkflowVersion.objects.get(workflow=journey).definition == journey.draft


def test_publishing_with_problems_leads_to_them_and_leaves_the_draft(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        journey = begun(visitor)
        page.get_by_role("button", name="Publish", exact=True).click()
        expect(page.locator("#builder-problems li button").first).to_be_focused()
        expect(page.locator("#builder-barred")).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.locator("#field-trigger-type")).to_be_focused()
        expect(page.locator("#field-trigger-type")).to_have_attribute("aria-describedby", "field-trigger-type-wrong")
        expect(page.locator("#builder-problems")).not_to_have_attribute("open", "")
        assert Workflow.objects.get(pk=journey.pk).status == "draft"


def test_a_problem_of_the_journey_opens_its_panel_at_the_field(browser, live_server, town):
    draft = {**town.journey.draft, "settings": {"priority": 99}}
    Workflow.objects.filter(pk=town.journey.pk).update(draft=draft)
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(builder_of(town.journey))
        page.locator("#builder-problems summary").click()
        page.locator("#builder-problems [data-panel='.settings']").click()
        expect(page.locator("[name='settings.priority']")).to_be_focused()
        page.locator("[name='settings.priority']").fill("7")
        page.locator("#builder-panel").get_by_role("button", name="Early exits").click()  # saved on the way
        expect(page.locator("#builder-panel h3")).to_have_text("Who leaves early")
        becomes(lambda: Workflow.objects.get(pk=town.journey.pk).draft["settings"], {"priority": 7}, page)


def test_it_is_renamed_in_place_and_escape_takes_that_back(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(builder_of(town.journey))
        name = page.get_by_label("Name of the journey")
        name.fill("Never this")
        name.press("Escape")
        expect(name).to_have_value(town.journey.name)
        name.fill("First <b>purchase</b>")
        name.press("Enter")
        expect(page.locator("#builder-said")).to_contain_text("Renamed")
        expect(page.locator(".jb-card .jb-hit").first).to_be_focused()
        assert Workflow.objects.get(pk=town.journey.pk).name == "First <b>purchase</b>"
        page.get_by_role("button", name="Undo").click()
        expect(name).to_have_value(town.journey.name)


def test_the_lists_of_the_bar_close_by_escape_and_by_a_click_elsewhere(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(builder_of(town.journey))
        more, numbers = page.get_by_label("More", exact=True), page.get_by_role("link", name="Numbers")
        more.press("Enter")
        expect(numbers).to_be_visible()
        page.keyboard.press("Escape")
        expect(numbers).to_be_hidden()
        expect(more).to_be_focused()
        more.click()
        expect(numbers).to_be_visible()
        page.locator("#builder-view").click(position={"x": 5, "y": 5})
        expect(numbers).to_be_hidden()


def test_a_problem_leads_to_its_place_in_the_yaml(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(reverse("admin:workflows_workflow_text", args=[town.broken_draft.pk]))
        page.locator(".cl-problem", has_text="no-such-template").click()
        chosen = "(area) => area.value.slice(area.selectionStart, area.selectionEnd)"
        becomes(lambda: page.eval_on_selector("#draft", chosen), "template: no-such-template", page)
        page.keyboard.type("template: thank-you")
        expect(page.locator(".cl-problem", has_text="no-such-template")).to_have_count(0)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1440])
def test_the_frame_fits_its_window(browser, live_server, town, dark, width):
    with visiting(browser, live_server.url, dark=dark, width=width) as visitor:
        page = visitor.page
        for path in (builder_of(town.journey), reverse("admin:workflows_workflow_add")):
            visitor.go(path)
            assert page.evaluate(SIDEWAYS) <= 0, path
        visitor.go(builder_of(town.journey))
        page.get_by_label("More", exact=True).click()
        expect(page.get_by_role("link", name="Numbers")).to_be_in_viewport()
        assert page.evaluate(SIDEWAYS) <= 0
