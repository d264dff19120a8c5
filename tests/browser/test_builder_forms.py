"""The panel of a step in Chromium: filled in by keyboard and mouse, saved, left, and looked at on a phone."""

from __future__ import annotations

import os
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from contacts import clock
from tests import journeys
from tests.browser.visit import PASSWORD, USERNAME, becomes, expect, visiting
from tests.journeys import definition, step
from workflows import publishing
from workflows.models import Workflow

pytestmark = pytest.mark.django_db(transaction=True)
FOLDER = os.environ.get("SCREENSHOTS")  # where to leave pictures
STEPS = {
    "mail": step("send_email", {"next": "wait"}, template="letter"),
    "wait": step("wait", {"next": "check"}, mode="duration", **{"for": "P1D"}),
    "check": step(
        "branch",
        {"yes": "tag", "else": None},
        arms=[{"key": "yes", "if": {"all": [{"field": "plan", "op": "eq", "value": "pro"}]}}],
    ),
    "tag": step("add_tag", tag="hot"),
}


@pytest.fixture
def journey(transactional_db) -> Workflow:
    User.objects.create_superuser(USERNAME, "maya@example.com", PASSWORD)
    journeys.template("letter")
    return publishing.save_draft(definition=definition(STEPS), now=clock.now(), by=USERNAME, what="Began")


def opened(visitor, journey: Workflow, key: str):
    visitor.go(f"/admin/workflows/workflow/{journey.pk}/map/")
    visitor.page.locator(f"#card-{key} .jb-hit").click()
    return form(visitor.page, key)


def form(page, key: str):
    panel = page.locator(f'#builder-panel form[data-step="{key}"]')
    expect(panel).to_be_visible()
    return panel


def stored(journey: Workflow, key: str):
    return Workflow.objects.get(pk=journey.pk).draft["steps"][key]


def test_only_what_applies_is_seen_and_saving_tells_the_card(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        page, panel = visitor.page, opened(visitor, journey, "wait")
        expect(panel.get_by_label("Wait for: how many")).to_have_value("1")
        expect(panel.get_by_label("Time of day")).to_be_hidden()
        panel.get_by_label("How long").select_option("local_time")
        expect(panel.get_by_label("Wait for: how many")).to_be_hidden()
        panel.get_by_label("Time of day").fill("09:00")
        expect(panel.get_by_text("Not saved yet")).to_be_visible()
        page.keyboard.press("Control+Enter")
        expect(page.locator("#card-wait .jb-sentence")).to_contain_text("until it is 09:00")
        expect(panel.get_by_text("Not saved yet")).to_be_hidden()
        expect(panel.get_by_label("Time of day")).to_be_focused()
        assert stored(journey, "wait")["config"] == {"mode": "local_time", "at": "09:00"}


def test_whoever_goes_on_to_another_card_or_closes_the_panel_has_it_saved(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        page, panel = visitor.page, opened(visitor, journey, "tag")
        panel.get_by_label("Tag").fill("warm")
        page.locator("#card-check .jb-hit").click()
        form(page, "check").get_by_label("Name", exact=True).fill("Do they pay?")
        page.keyboard.press("Escape")
        expect(page.locator("#builder-panel")).to_be_hidden()
        expect(page.locator("#card-check .jb-hit")).to_be_focused()
        expect(page.locator("#card-check .jb-name")).to_have_text("Do they pay?")
        assert stored(journey, "tag")["config"] == {"tag": "warm"}


def test_nobody_writes_into_a_panel_that_is_not_whole_yet(browser, live_server, journey):
    """What is written while the conditions are still being drawn would be taken for what was there before."""
    with visiting(browser, live_server.url) as visitor:
        page, held = visitor.page, list[Any]()
        visitor.go(f"/admin/workflows/workflow/{journey.pk}/map/")
        page.route(f"**{page.locator('#builder').get_attribute('data-conditions')}", lambda route: held.append(route))
        page.locator("#card-check .jb-hit").click()
        becomes(lambda: len(held), 1, page)
        expect(page.locator('#builder-panel form[data-step="check"]')).to_have_count(0)
        held[0].continue_()
        form(page, "check").get_by_label("Name", exact=True).fill("Do they pay?")
        page.keyboard.press("Escape")
        expect(page.locator("#card-check .jb-name")).to_have_text("Do they pay?")
        assert stored(journey, "check")["name"] == "Do they pay?"


def test_the_card_that_somebody_went_on_to_is_the_chosen_one(browser, live_server, journey):
    """Though the step that was left behind is saved meanwhile."""
    with visiting(browser, live_server.url) as visitor:
        page, panel = visitor.page, opened(visitor, journey, "tag")
        panel.get_by_label("Tag").fill("warm")
        page.locator("#card-check .jb-hit").click()
        form(page, "check")
        expect(page.locator("#card-check")).to_contain_class("jb-chosen")
        page.keyboard.press("Escape")
        expect(page.locator("#card-check .jb-hit")).to_be_focused()
        assert stored(journey, "tag")["config"] == {"tag": "warm"}


def test_what_was_written_stays_where_somebody_else_was_faster(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        page, panel = visitor.page, opened(visitor, journey, "tag")
        panel.get_by_label("Tag").fill("mine")
        changed = {**STEPS, "tag": step("add_tag", tag="theirs")}
        publishing.save_draft(definition=definition(changed), now=clock.now(), by="noah", what="Changed")
        page.keyboard.press("Escape")
        expect(page.locator("#builder-trouble")).to_contain_text("changed this journey meanwhile")
        expect(panel.get_by_label("Tag")).to_have_value("mine")
        expect(panel.get_by_text("Not saved yet")).to_be_visible()
        assert stored(journey, "tag")["config"] == {"tag": "theirs"}
        panel.get_by_role("button", name="Discard").click()
        expect(panel.get_by_label("Tag")).to_have_value("theirs")
        expected = [each for each in visitor.complaints if "409" in each]
        assert expected
        visitor.complaints = [each for each in visitor.complaints if each not in expected]


def test_a_problem_leads_to_its_field(browser, live_server, journey):
    broken = {**STEPS, "mail": step("send_email", {"next": "wait"}, template="gone")}
    publishing.save_draft(definition=definition(broken), now=clock.now())
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(f"/admin/workflows/workflow/{journey.pk}/map/")
        page.locator("#builder-problems summary").click()
        page.locator('#builder-problems [data-step="mail"]').first.click()
        template = form(page, "mail").get_by_label("Template", exact=True)
        expect(template).to_be_focused()
        expect(template).to_have_attribute("aria-invalid", "true")
        expect(template).to_have_value("gone")
        template.select_option("letter")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#card-mail .jb-flag")).to_have_count(0)
        assert stored(journey, "mail")["config"] == {"template": "letter"}


def test_paths_are_added_built_and_put_in_order(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        page, panel = visitor.page, opened(visitor, journey, "check")
        expect(panel.get_by_text("In words: plan is “pro”.")).to_be_visible()
        panel.get_by_role("button", name="Another path").click()
        path = panel.locator(".jb-arm").nth(1)
        expect(path.get_by_label("Name of the path")).to_be_focused()
        page.keyboard.type("Big spender")
        path.get_by_role("button", name="Add a condition").click()
        path.locator(".cq-combo").fill("seats")
        path.locator(".cq-value").fill("9")
        expect(path.get_by_text("In words: seats is", exact=False)).to_be_visible()
        path.get_by_role("button", name="Move this path up").click()
        expect(panel.locator(".jb-arm").first.get_by_label("Name of the path")).to_have_value("Big spender")
        panel.get_by_role("button", name="Save step").click()
        expect(page.locator("#caption-check-big_spender")).to_be_attached()
        becomes(
            lambda: [arm["key"] for arm in stored(journey, "check")["config"]["arms"]], ["big_spender", "yes"], page
        )
        assert stored(journey, "check")["next"]["yes"] == "tag"
        first = stored(journey, "check")["config"]["arms"][0]
        assert first["if"]["all"][0]["field"] == "seats"


def test_whom_to_skip_is_built_and_taken_away(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        page, panel = visitor.page, opened(visitor, journey, "tag")
        panel.get_by_text("Skip this step for some contacts").click()
        panel.get_by_role("button", name="Add a condition").click()
        panel.locator(".cq-combo").first.fill("plan")
        panel.locator(".cq-value").fill("free")
        page.keyboard.press("Control+Enter")
        becomes(lambda: "skip_if" in stored(journey, "tag"), True, page)
        expect(panel.get_by_text("In words: plan is “free”.")).to_be_visible()
        panel.get_by_role("button", name="Remove the condition").click()
        page.keyboard.press("Control+Enter")
        becomes(lambda: "skip_if" in stored(journey, "tag"), False, page)


@pytest.mark.parametrize("dark", [False, True])
def test_the_panel_is_as_wide_as_a_phone(browser, live_server, journey, dark):
    with visiting(browser, live_server.url, dark=dark, width=390) as visitor:
        page, panel = visitor.page, opened(visitor, journey, "check")
        expect(panel.locator(".cq-panel")).to_be_visible()
        main, box = page.locator(".jb-main").bounding_box(), page.locator("#builder-panel").bounding_box()
        assert (box["x"], box["width"]) == (main["x"], main["width"])
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.evaluate(
            "(({scrollWidth, clientWidth}) => scrollWidth <= clientWidth)(document.querySelector('#builder-panel'))"
        )
        if FOLDER:
            page.screenshot(path=f"{FOLDER}/builder_panel_{'dark' if dark else 'light'}_390.png")


def test_who_may_only_look_reads_sentences_and_changes_nothing(browser, live_server, journey):
    User.objects.filter(username=USERNAME).delete()
    viewer = User.objects.create_user(USERNAME, password=PASSWORD, is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_workflow"))
    with visiting(browser, live_server.url) as visitor:
        panel = opened(visitor, journey, "check")
        expect(panel.get_by_text("plan is “pro”")).to_be_visible()
        expect(panel.get_by_label("Name", exact=True)).to_be_disabled()
        expect(panel.get_by_role("button")).to_have_count(1)  # that closes it
        visitor.page.keyboard.press("Escape")
        expect(visitor.page.locator("#builder-panel")).to_be_hidden()
