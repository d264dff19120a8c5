"""What is done on the map, in Chromium: by mouse, by keyboard, by two people at once, and with the server gone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from contacts import clock
from tests.browser.visit import PASSWORD, USERNAME, Visitor, becomes, expect, visiting
from tests.journeys import definition, step
from workflows import publishing
from workflows.models import Workflow

pytestmark = pytest.mark.django_db(transaction=True)

LOOKS = {"light": {}, "dark": {"dark": True}, "telephone": {"width": 390, "height": 844}}
DRAFT = definition(
    {
        "check": {**step("branch", {"yes": "one", "else": "two"}, arms=[{"key": "yes", "if": {"has_tag": "vip"}}]),
                  "name": "A customer?"},
        "one": {**step("add_tag", {"next": "meet"}, tag="t"), "name": "First"},
        "two": {**step("add_tag", {"next": "meet"}, tag="t"), "name": "Second"},
        "meet": {**step("add_tag", tag="t"), "name": "Meeting"},
    }
)  # fmt: skip


@pytest.fixture
def journey(transactional_db) -> Workflow:
    get_user_model().objects.create_superuser(USERNAME, password=PASSWORD, first_name="Maya")
    return publishing.save_draft(definition=DRAFT, now=clock.now(), by="import")


def path(journey: Workflow) -> str:
    return reverse("admin:workflows_workflow_change", args=[journey.pk])


def steps() -> dict[str, Any]:
    return Workflow.objects.get().draft["steps"]


def ways() -> dict[str, Any]:
    return {key: each["next"] for key, each in steps().items()}


def open_menu(page: Any, key: str) -> Any:
    page.locator(f"#card-{key} .jb-hit").focus()
    page.keyboard.press("Shift+F10")
    menu = page.locator("#builder-card-menu")
    expect(menu.get_by_role("menuitem", name="Edit")).to_be_focused()
    return menu


@pytest.mark.parametrize("look", LOOKS)
def test_a_card_is_duplicated_from_its_menu_and_the_copy_has_the_focus(browser, live_server, journey, look):
    with visiting(browser, live_server.url, **LOOKS[look]) as visitor:
        page = visitor.page
        visitor.go(path(journey))
        page.locator("#card-one").hover()
        page.locator("#card-one .jb-more").click()
        page.get_by_role("menuitem", name="Duplicate").click()
        expect(page.locator("#card-add-tag .jb-hit")).to_be_focused()
        expect(page.locator("#card-add-tag .jb-name")).to_have_text("First (copy)")
        assert ways()["one"] == {"next": "add-tag"}
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_step_is_moved_with_the_keyboard_alone_and_escape_leaves_it(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(path(journey))
        open_menu(page, "check")
        for _ in range(2):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.locator("#builder-moving")).to_contain_text("“A customer?” and the 2 steps that only it leads to")
        expect(page.locator(".jb-plus:visible")).to_have_count(1)
        page.keyboard.press("Escape")
        expect(page.locator("#card-check .jb-hit")).to_be_focused()
        expect(page.locator(".jb-along")).to_have_count(0)
        open_menu(page, "check").get_by_role("menuitem", name="Move").press("Enter")
        expect(page.locator("#plus-meet-next")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#builder-said")).to_have_text("Moved “A customer?” with 2 steps")
        expect(page.locator("#card-check .jb-hit")).to_be_focused()
        becomes(lambda: (Workflow.objects.get().draft["start"], ways()["meet"]), ("meet", {"next": "check"}), page)


def test_deleting_a_branch_asks_which_path_stays(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(path(journey))
        page.locator("#card-check .jb-hit").focus()
        page.keyboard.press("Delete")
        dialog = page.get_by_role("dialog", name="Delete “A customer?”: which path stays?")
        expect(dialog).to_be_visible()
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(page.locator("#card-check .jb-hit")).to_be_focused()
        assert Workflow.objects.get().draft_revision == 1
        open_menu(page, "check").get_by_role("menuitem", name="Delete").press("Enter")
        expect(page.get_by_role("radio").first).to_be_focused()
        page.keyboard.press("ArrowDown")
        dialog.get_by_role("button", name="Delete", exact=True).press("Enter")
        expect(page.locator("#card-check")).to_have_count(0)
        assert steps().keys() == {"two", "meet"}
        expect(page.locator(".jb-card .jb-hit:focus")).to_have_count(1)
        page.keyboard.press("Control+z")
        expect(page.locator("#card-check")).to_be_visible()
        assert steps() == DRAFT["steps"]


def test_the_menu_of_a_plus_offers_later_steps_and_says_what_an_end_costs(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(path(journey))
        page.locator("#plus-one-next").click()
        joins = page.get_by_role("region", name="Join a step that is there").get_by_role("button")
        expect(joins).to_have_text([re.compile(r"^\d\. Second$")])
        page.keyboard.press("Escape")
        expect(page.locator("#plus-one-next")).to_be_focused()
        page.locator("#plus-check-yes").click()
        expect(page.locator("[data-foot]")).to_contain_text("1 step goes with it: First")
        page.get_by_role("searchbox", name="Search steps").fill("meeti")
        page.keyboard.press("Enter")
        expect(page.locator("#builder-said")).to_have_text("Joined “Meeting”; 1 step went with it")
        assert ways()["check"] == {"yes": "meet", "else": "two"}


def test_the_second_of_two_people_is_told_who_was_first(browser, live_server, journey):
    """30. Two browsers: Maya changes a step, then Ola deletes one that she still sees."""
    ola = get_user_model().objects.create_superuser("ola", password=PASSWORD)
    theirs = Client()
    theirs.force_login(ola)
    with visiting(browser, live_server.url) as visitor:
        context = browser.new_context(reduced_motion="reduce")
        try:
            session = {"name": "sessionid", "value": theirs.cookies["sessionid"].value, "url": live_server.url}
            context.add_cookies([session])
            second = Visitor(context.new_page(), live_server.url)
            second.go(path(journey))
            visitor.go(path(journey))
            open_menu(visitor.page, "one").get_by_role("menuitem", name="Duplicate").press("Enter")
            expect(visitor.page.locator("#card-add-tag")).to_be_visible()
            after = Workflow.objects.get().draft

            page = second.page
            page.locator("#card-two .jb-hit").focus()
            page.keyboard.press("Delete")
            trouble = page.get_by_role("alert").filter(has_text="Maya changed this journey meanwhile.")
            expect(trouble).to_be_visible()
            expect(page.locator("#card-two")).to_be_visible()
            assert Workflow.objects.get().draft == after
            assert len(second.complaints) == 2 and all("409" in each for each in second.complaints)
            second.complaints.clear()
            trouble.get_by_role("button", name="Reload").click()
            expect(page.locator("#card-add-tag")).to_be_visible()
            page.locator("#card-two .jb-hit").focus()
            page.keyboard.press("Delete")
            expect(page.locator("#card-two")).to_have_count(0)
            assert steps().keys() == after["steps"].keys() - {"two"} and second.complaints == []
        finally:
            context.close()


FAULTS: dict[str, Callable[[Any], None]] = {
    "500": lambda route: route.fulfill(status=500, body="<h1>No</h1>"),
    "offline": lambda route: route.abort("internetdisconnected"),
}
SAID = {
    "500": "The server could not do this. Nothing was changed.",
    "offline": "The server cannot be reached. The map is as it was.",
}
EXPECTED = {"500": "500", "offline": "ERR_INTERNET_DISCONNECTED"}


@pytest.mark.parametrize("fault", FAULTS)
def test_where_the_server_fails_the_map_stays_and_the_same_can_be_tried_again(browser, live_server, journey, fault):
    """31. The page complains of nothing but the fault itself, and says it in words."""
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(path(journey))
        before = page.locator(".jb-card").all_inner_texts()
        page.route("**/operation/", FAULTS[fault])
        page.locator("#card-one .jb-hit").focus()
        page.keyboard.press("Delete")
        trouble = page.locator("#builder-trouble")
        expect(trouble).to_contain_text(SAID[fault])
        assert page.locator(".jb-card").all_inner_texts() == before
        assert Workflow.objects.get().draft_revision == 1
        page.unroute("**/operation/")
        trouble.get_by_role("button", name="Try again").click()
        expect(page.locator("#card-one")).to_have_count(0)
        expect(trouble).to_be_hidden()
        assert Workflow.objects.get().draft_revision == 2
        assert visitor.complaints and all(EXPECTED[fault] in each for each in visitor.complaints)
        visitor.complaints.clear()


def test_a_second_press_while_the_first_is_under_way_does_nothing(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(path(journey))
        sent: list[str] = []
        held: list[Any] = []
        page.route("**/operation/", lambda route: (sent.append(route.request.post_data), held.append(route)))
        open_menu(page, "one").get_by_role("menuitem", name="Duplicate").press("Enter")
        expect(page.locator("#builder-stage")).to_have_attribute("aria-busy", "true")
        page.locator("#card-two .jb-hit").focus()
        page.keyboard.press("Delete")
        page.keyboard.press("Delete")
        held[0].continue_()
        expect(page.locator("#card-add-tag")).to_be_visible()
        expect(page.locator("#builder-stage")).not_to_have_attribute("aria-busy", "true")
        assert len(sent) == 1 and Workflow.objects.get().draft_revision == 2


def test_undo_outlives_a_reload_and_brings_back_the_same(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(path(journey))
        for number in range(5):
            open_menu(page, "one").get_by_role("menuitem", name="Duplicate").press("Enter")
            expect(page.locator(".jb-card")).to_have_count(6 + number)
        after = json.dumps(Workflow.objects.get().draft)
        page.reload()
        for number in range(5):
            page.get_by_role("button", name="Undo").click()
            expect(page.locator(".jb-card")).to_have_count(9 - number)
        expect(page.get_by_role("button", name="Undo")).to_be_disabled()
        assert Workflow.objects.get().draft == DRAFT
        for number in range(5):
            page.get_by_role("button", name="Redo").click()
            expect(page.locator(".jb-card")).to_have_count(6 + number)
        assert json.dumps(Workflow.objects.get().draft) == after


@pytest.mark.parametrize("look", LOOKS)
def test_the_history_lists_the_changes_and_leads_back(browser, live_server, journey, look):
    publishing.save_draft(definition={**DRAFT, "name": "Of Ola"}, now=clock.now(), by="ola", what="Renamed it")
    with visiting(browser, live_server.url, **LOOKS[look]) as visitor:
        page = visitor.page
        visitor.go(path(journey))
        page.evaluate("document.querySelector('[data-history]').click()")
        dialog = page.get_by_role("dialog", name="Changes of this draft")
        expect(dialog.get_by_role("listitem")).to_have_count(2)
        expect(dialog.get_by_role("listitem").first).to_contain_text("UTC")
        dialog.get_by_role("button", name="Go back to: Began").click()
        expect(page.locator("#builder-said")).to_have_text("Went back to: Began")
        assert Workflow.objects.get().draft == DRAFT and Workflow.objects.get().draft_revision == 3
        assert page.evaluate("document.activeElement !== document.body")
