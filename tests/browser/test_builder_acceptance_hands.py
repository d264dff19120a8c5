"""A journey is built by hand, by keyboard and by ear in Chromium: the acceptance checks 11 to 14, 32 and 34 (15 is in
`test_builder_map.py`)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from tests import journeys
from tests.browser.test_builder_acceptance_build import DIAMOND, drafted, opened
from tests.browser.visit import PASSWORD, USERNAME, becomes, expect, visiting
from tests.workflows.builder.scribbled import grown
from workflows.models import Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db(transaction=True)

PLACES = """() => Object.fromEntries([...document.querySelectorAll('.jb-card, .jb-plus, .jb-caption, .jb-end')]
    .map((each) => [each.id, Object.values(each.getBoundingClientRect().toJSON())]))"""
# What a mouse or a finger does is noted, on every page; keys make clicks as well, but those come from no pointer.
NOTE_MOUSE = """for (const kind of ['mousedown', 'mouseup', 'mousemove', 'pointerdown', 'touchstart', 'dragstart'])
    addEventListener(kind, () => sessionStorage.setItem('mouse', kind), { capture: true });"""
FOCUSED = """() => {
    const focus = document.activeElement;
    if (!focus || focus === document.body || focus === document.documentElement) return null;
    return focus.closest('.jb-card')?.dataset.step ?? (focus.id || focus.name || focus.textContent.trim());
}"""
CALM = "() => document.getElementById('builder-stage')?.getAttribute('aria-busy') !== 'true'"


@pytest.fixture
def maya(transactional_db) -> User:
    return User.objects.create_superuser(USERNAME, password=PASSWORD, first_name="Maya")


def stored() -> str:
    """The draft to the byte, as it stands in its row."""
    return json.dumps(Workflow.objects.get().draft)


class Keyboard:
    """Somebody without a mouse. After each thing that is done, something has the focus."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.page.wait_for_function(CALM)
            assert self.page.evaluate(FOCUSED) is not None, f"after {key} nothing has the focus"

    def write(self, words: str) -> None:
        self.page.keyboard.type(words)

    def at(self, wanted: str) -> None:
        becomes(lambda: self.page.evaluate(FOCUSED), wanted, self.page)

    def tab_to(self, locator: Any, key: str = "Tab") -> None:
        for _ in range(80):
            if locator.evaluate("(each) => each === document.activeElement"):
                return
            self.press(key)
        raise AssertionError(f"{locator} is not reached by {key}")

    def add(self, words: str, card: str) -> None:
        """The "+" is chosen, and its menu is open: the first that is found by these words becomes that card."""
        expect(self.page.get_by_role("searchbox", name="Search steps")).to_be_focused()
        self.write(words)
        self.press("Enter")
        expect(self.page.locator(f'#builder-panel form[data-step="{card}"]')).to_be_visible()
        self.press("Escape")
        self.at(card)


def test_the_map_is_the_same_after_a_reload(browser, live_server, maya):
    """11: the same map and the same draft; every card, "+", caption and end stands where it stood, to the pixel."""
    journey = drafted(grown(16))
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, journey)
        before, draft = page.evaluate(PLACES), stored()
        assert len(before) > 40
        page.reload()
        expect(page.locator("#builder.jb-drawn")).to_be_visible()
        assert page.evaluate(PLACES) == before and stored() == draft


def test_five_changes_are_undone_and_done_again_by_anybody(browser, live_server, maya):
    """12: undo five times and redo five times gives the same JSON; undo works after a reload, and for somebody else."""
    User.objects.create_superuser("ola", password=PASSWORD)
    journey = drafted()
    stood = [stored()]
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, journey)
        for number, kind in enumerate(("wait", "branch", "add_tag", "send_sms", "goal"), start=1):
            page.locator("#plus-check-else").click()
            page.locator(f"#builder-menu [data-kind={kind}]").click()
            becomes(lambda: Workflow.objects.get().draft_revision, 1 + number, page)
            expect(page.locator("#builder-panel form")).to_be_visible()
            stood.append(stored())
        page.keyboard.press("Escape")
        assert len(set(stood)) == 6

        def go(deed: str, to: int) -> None:
            revision = Workflow.objects.get().draft_revision
            page.get_by_role("button", name=deed, exact=True).click()
            becomes(lambda: Workflow.objects.get().draft_revision, revision + 1, page)
            expect(page.locator("#builder-bar")).to_have_attribute("data-revision", str(revision + 1))
            assert stored() == stood[to], f"{deed} to {to}"

        for to in (4, 3, 2, 1, 0):
            go("Undo", to)
        expect(page.get_by_role("button", name="Undo", exact=True)).to_be_disabled()
        for to in (1, 2, 3, 4, 5):
            go("Redo", to)
        expect(page.get_by_role("button", name="Redo", exact=True)).to_be_disabled()
        page.reload()
        go("Undo", 4)
    with visiting(browser, live_server.url, username="ola") as visitor:
        page = opened(visitor, journey)
        go("Undo", 3)
        go("Redo", 4)
        go("Redo", 5)
        page.evaluate("document.querySelector('[data-history]').click()")
        listed = page.get_by_role("dialog", name="Changes of this draft").get_by_role("listitem")
        expect(listed.first).to_contain_text("ola")


def test_a_branch_with_full_paths_is_deleted_but_for_the_path_that_is_kept(browser, live_server, maya):
    """13: deleting a branch whose paths hold steps asks which to keep, and keeps that one."""
    for kept, gone in (("one", "two"), ("two", "one")):
        document = {**DIAMOND, "slug": f"keep-{kept}"}
        journey = drafted(document)
        with visiting(browser, live_server.url) as visitor:
            page = opened(visitor, journey)
            page.locator("#card-check .jb-hit").focus()
            page.keyboard.press("Delete")
            dialog = page.get_by_role("dialog", name="Delete “A customer?”: which path stays?")
            name = {"one": "Yes", "two": "No"}[kept]
            lost = {"one": "First", "two": "Second"}[gone]
            choice = dialog.locator("label", has_text=f"Keep the path “{name}”")
            expect(choice).to_contain_text(f"1 step would go: {lost}")
            choice.get_by_role("radio").check()
            dialog.get_by_role("button", name="Delete", exact=True).click()
            expect(page.locator("#card-check")).to_have_count(0)
            draft = Workflow.objects.get(pk=journey.pk).draft
            assert draft["start"] == kept
            assert draft["steps"] == {key: DIAMOND["steps"][key] for key in (kept, "meet", "last")}


def test_a_step_is_moved_by_its_menu_and_by_the_mouse_to_the_same_end(browser, live_server, maya):
    """14: "Move" of the card's menu, by keyboard, and carrying the card there lead to the same draft."""
    found = []
    for how in ("menu", "mouse"):
        journey = drafted({**DIAMOND, "slug": how, "name": "Moved"})
        with visiting(browser, live_server.url) as visitor:
            page = opened(visitor, journey)
            if how == "menu":
                page.locator("#card-one .jb-hit").focus()
                page.keyboard.press("Shift+F10")
                page.get_by_role("menuitem", name="Move").press("Enter")
                expect(page.locator("#builder-moving")).to_contain_text("Choose where “First” should go.")
                for _ in range(8):
                    if page.evaluate("document.activeElement.id") == "plus-meet-next":
                        break
                    page.keyboard.press("ArrowDown")
                page.keyboard.press("Enter")
            else:
                card, place = page.locator("#card-one").bounding_box(), page.locator("#plus-meet-next").bounding_box()
                page.mouse.move(card["x"] + 60, card["y"] + 30)
                page.mouse.down()
                page.mouse.move(card["x"] + 70, card["y"] + 50, steps=3)
                expect(page.locator("#plus-meet-next.jb-open")).to_be_visible()
                page.mouse.move(place["x"] + 14, place["y"] + 14, steps=5)
                expect(page.locator("#plus-meet-next.jb-target")).to_be_visible()
                page.mouse.up()
            expect(page.locator("#builder-said")).to_have_text("Moved “First”")
            expect(page.locator("#card-one .jb-hit")).to_be_focused()
            found.append(Workflow.objects.get(pk=journey.pk).draft)
    by_menu, by_mouse = ({**each, "slug": ""} for each in found)
    assert by_menu == by_mouse
    assert by_menu["steps"]["check"]["next"] == {"yes": "meet", "else": "two"}
    assert (by_menu["steps"]["meet"]["next"], by_menu["steps"]["one"]["next"]) == ({"next": "one"}, {"next": "last"})


def test_a_journey_is_made_and_published_with_the_keyboard_alone(browser, live_server, maya):
    """32: from the list to "Live v1" by keys: create, trigger, three steps, a branch, a join, an edit, undo, publish.
    No page sees a mouse, and after every key something has the focus."""
    journeys.template("welcome")
    drafted({**DIAMOND, "slug": "older", "name": "Older"})
    with visiting(browser, live_server.url) as visitor:
        page, keys = visitor.page, Keyboard(visitor.page)
        page.add_init_script(NOTE_MOUSE)
        visitor.go(reverse("admin:workflows_workflow_changelist"))
        # create
        keys.tab_to(page.get_by_role("link", name=re.compile("New journey|Add journey")).first)
        page.keyboard.press("Enter")
        expect(page.get_by_label("What is it called?")).to_be_focused()
        keys.write("By keys")
        page.keyboard.press("Enter")
        expect(page.locator("#builder.jb-drawn")).to_be_visible()
        keys.at(".trigger")
        # the trigger
        keys.press("Enter")
        expect(page.locator("#field-trigger-type")).to_be_focused()
        keys.write("Form")
        keys.tab_to(page.get_by_label("Form", exact=True))
        keys.write("start-trial")
        keys.press("Control+Enter")
        expect(page.locator('[id="card-.trigger"]')).to_contain_text("start-trial")
        keys.press("Escape")
        keys.at(".trigger")
        # three steps, of which one is a branch
        keys.press("a")
        keys.add("send email", "send-email")
        keys.press("a")
        keys.add("if /", "branch")
        keys.press("a")
        keys.at("plus-branch-yes")
        keys.press("Enter")
        keys.add("add tag", "add-tag")
        keys.press("ArrowUp")
        keys.at("branch")
        keys.press("a", "ArrowRight")
        keys.at("plus-branch-else")
        keys.press("Enter")
        keys.add("wait", "wait")
        # a join: the wait leads to the tag of the other path
        keys.press("a")
        keys.write("add tag")
        expect(page.get_by_role("region", name="Join a step that is there").get_by_role("button")).to_have_count(1)
        keys.press("ArrowDown", "ArrowDown", "Enter")
        expect(page.locator("#builder-said")).to_have_text("Joined “Add tag”")
        keys.at("add-tag")
        # edits: what the steps still need
        keys.press("Enter")
        keys.tab_to(page.get_by_label("Tag", exact=True))
        keys.write("hot")
        keys.press("Control+Enter")
        expect(page.locator("#card-add-tag .jb-sentence")).to_contain_text("hot")
        keys.press("Escape", "Home", "ArrowDown")
        keys.at("send-email")
        keys.press("Enter")
        keys.tab_to(page.get_by_label("Template", exact=True))
        keys.write("welcome")
        keys.press("Control+Enter")
        expect(page.locator("#card-send-email.jb-bad")).to_have_count(0)
        keys.press("Escape", "ArrowDown")
        keys.at("branch")
        keys.press("Enter")
        keys.tab_to(page.get_by_role("button", name="Add a condition"))
        keys.press("Enter")
        keys.tab_to(page.locator("#builder-panel .cq-combo").first)
        keys.write("plan")
        keys.tab_to(page.locator("#builder-panel .cq-value").first)
        keys.write("pro")
        keys.press("Control+Enter")
        expect(page.locator("#builder-ready")).to_be_visible()
        keys.press("Escape")
        keys.at("branch")
        # deleted, and undone
        keys.press("End", "Delete")
        expect(page.locator("#card-add-tag")).to_have_count(0)
        keys.press("Control+z")
        expect(page.locator("#card-add-tag")).to_be_visible()
        assert {key: each for key, each in ways_of("by-keys").items() if key != "send-email"} == {
            "branch": {"yes": "add-tag", "else": "wait"},
            "wait": {"next": "add-tag"},
            "add-tag": {"next": None},
        }
        # publish
        keys.tab_to(page.get_by_role("button", name="Publish", exact=True), "Shift+Tab")
        keys.press("Enter")
        expect(page.get_by_label("What is new, for those who read the versions")).to_be_focused()
        keys.press("Enter")
        expect(page.locator("#builder-bar .cl-pill")).to_have_text("Live v1")
        expect(page.get_by_role("button", name="Done")).to_be_focused()
        keys.press("Enter")
        expect(page.get_by_role("button", name="Publish", exact=True)).to_be_focused()
        assert page.evaluate("sessionStorage.getItem('mouse')") is None
        journey = Workflow.objects.get(slug="by-keys")
        assert WorkflowVersion.objects.get(workflow=journey).definition == journey.draft


def ways_of(slug: str) -> dict[str, Any]:
    return {key: each["next"] for key, each in Workflow.objects.get(slug=slug).draft["steps"].items()}


def test_whoever_hears_the_map_is_told_each_step_each_plus_and_each_result(browser, live_server, maya):
    """34: cards say their number, kind, name and sentence; every "+" after what; the live region each result."""
    wait = {**journeys.step("wait", {"next": "last"}, mode="local_time", at="09:00"), "name": "Morning, their time"}
    journey = drafted({**DIAMOND, "steps": {**DIAMOND["steps"], "meet": wait}})
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, journey)
        cards = page.locator("#builder-stage .jb-hit")
        for card, name in (
            ("check", "Step 1 of 5, If / else: A customer?. "),
            ("meet", "Step 4 of 5, Wait: Morning, their time. Wait until it is 09:00 in the contact’s time zone"),
        ):
            expect(page.locator(f"#card-{card} .jb-hit")).to_have_accessible_name(re.compile(f"^{re.escape(name)}"))
        names = cards.evaluate_all("(all) => all.map((each) => each.ariaLabel)")
        assert [re.match(r"Step (\d) of 5, |Trigger: ", name) is not None for name in names] == [True] * 6
        for plus, name in (
            ('[id="plus-.trigger-start"]', "Add a step after the trigger"),
            ("#plus-check-yes", "Add a step after step 1, A customer?, path Yes"),
            ("#plus-check-else", "Add a step after step 1, A customer?, path No"),
            ("#plus-one-next", re.compile(r"^Add a step after step [23], First$")),
            ("#trunk-meet", "Add a step where the paths meet, before step 4, Morning, their time"),
        ):
            expect(page.locator(plus)).to_have_accessible_name(name)
        said = page.get_by_role("status").and_(page.locator("#builder-said"))
        expect(said).to_have_attribute("aria-live", "polite")
        told = []
        page.expose_function("told", lambda words: told.append(words))
        page.evaluate(
            """new MutationObserver(() => document.getElementById('builder-said').textContent
                && told(document.getElementById('builder-said').textContent))
                .observe(document.getElementById('builder-said'), { childList: true })"""
        )
        for _ in range(2):
            page.locator("#plus-one-next").click()
            page.locator("#builder-menu [data-kind=add_tag]").click()
            expect(page.locator("#builder-panel form")).to_be_visible()
            page.keyboard.press("Escape")
            expect(page.locator("#builder-panel")).to_be_hidden()
        page.locator("#card-two .jb-hit").focus()
        page.keyboard.press("Delete")
        expect(page.locator("#card-two")).to_have_count(0)
        page.keyboard.press("Control+z")
        expect(page.locator("#card-two")).to_be_visible()
        page.keyboard.press("Control+Shift+z")
        expect(page.locator("#card-two")).to_have_count(0)
        becomes(
            lambda: told,
            [
                "Added “Add tag”",
                "Added “Add tag”",
                "Deleted “Second”",
                "Undone: Deleted “Second”",
                "Done again: Deleted “Second”",
            ],
            page,
        )
