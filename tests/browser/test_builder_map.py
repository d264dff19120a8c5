"""The map of a journey in Chromium: measured as it is drawn, walked by keyboard, carried on with the mouse."""

from __future__ import annotations

import copy

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from contacts import clock
from tests.browser.visit import PASSWORD, USERNAME, becomes, expect, visiting
from tests.workflows.builder.scribbled import grown
from tests.workflows.builder.starter import STARTER
from workflows import publishing
from workflows.models import Workflow

pytestmark = pytest.mark.django_db(transaction=True)

# Every pair of cards, and every path at each fourth pixel, where the browser has put them.
MEASURE = """() => {
    const cards = [...document.querySelectorAll('.jb-card')];
    const boxes = cards.map((card) => [card.dataset.step, card.getBoundingClientRect()]);
    const faults = [];
    boxes.forEach(([one, a], at) => boxes.slice(at + 1).forEach(([other, b]) => {
        const apart = a.left >= b.right || b.left >= a.right || a.top >= b.bottom || b.top >= a.bottom;
        if (!apart) faults.push(`${one} on ${other}`);
    }));
    for (const { dataset: { step, port, target } } of document.querySelectorAll('.jb-plus[data-port]')) {
        const line = document.getElementById(`line-${step}-${port}`);
        const to = line.getScreenCTM();
        const foreign = boxes.filter(([each]) => each !== step && each !== target);
        for (let far = 0; far < line.getTotalLength(); far += 4) {
            const { x, y } = line.getPointAtLength(far).matrixTransform(to);
            const met = foreign.find(([, box]) =>
                x > box.left + 1 && x < box.right - 1 && y > box.top + 1 && y < box.bottom - 1);
            if (met) { faults.push(`${line.id} through ${met[0]}`); break; }
        }
    }
    return { cards: boxes.length, lines: document.querySelectorAll('.jb-line').length, faults };
}"""
PLACES = """() => {
    const cards = [...document.querySelectorAll('.jb-card')];
    return Object.fromEntries(cards.map((card) => [card.dataset.step, card.style.translate]));
}"""
FOCUSED = """() => {
    const focus = document.activeElement;
    return focus.closest('.jb-card')?.dataset.step ?? (focus.id || focus.tagName);
}"""
IN_VIEW = """(selector) => {
    const box = document.querySelector(selector).getBoundingClientRect();
    const view = document.getElementById('builder-view').getBoundingClientRect();
    return box.top < view.bottom && box.bottom > view.top && box.left < view.right && box.right > view.left;
}"""


@pytest.fixture
def journey(transactional_db):
    """Makes a journey with such a draft."""
    get_user_model().objects.create_superuser(USERNAME, "maya@example.com", PASSWORD)

    def make(definition=STARTER) -> Workflow:
        return publishing.save_draft(definition=definition, now=clock.now(), by=USERNAME)

    return make


def address(journey: Workflow) -> str:
    return reverse("admin:workflows_workflow_map", args=[journey.pk])


def opened(visitor, journey: Workflow):
    visitor.go(address(journey))
    visitor.page.wait_for_selector("#builder.jb-drawn")
    return visitor.page


def focus_is(page, wanted: str) -> None:
    becomes(lambda: page.evaluate(FOCUSED), wanted, page)


def in_view(page, selector: str) -> bool:
    return page.evaluate(IN_VIEW, selector)


def test_sixty_four_steps_are_drawn_apart_and_stay_so_when_one_is_put_in(browser, live_server, journey):
    """15: no card on a card and no line through one, before and after a step is put in. (How long it takes is measured,
    not asserted.)"""
    made = journey(grown(64))
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, made)
        assert page.evaluate(MEASURE) == {"cards": 65, "lines": page.locator(".jb-line").count(), "faults": []}
        page.locator(".jb-plus[data-port]").nth(20).click()
        page.locator("#builder-menu [data-kind=branch]").click()
        expect(page.locator(".jb-card")).to_have_count(66)
        expect(page.locator("#builder-said")).to_contain_text("Added")
        measured = page.evaluate(MEASURE)
        assert measured["faults"] == [] and measured["cards"] == 66
        places = page.evaluate(PLACES)
        page.reload()
        page.wait_for_selector("#builder.jb-drawn")
        assert page.evaluate(PLACES) == places


def test_two_hundred_steps_open_and_can_be_walked(browser, live_server, journey):
    """15: the longest journey there may be."""
    made = journey(grown(200))
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, made)
        expect(page.locator(".jb-card")).to_have_count(201)
        assert page.evaluate(MEASURE)["faults"] == []
        page.locator("#card-\\.trigger .jb-hit").focus()
        page.keyboard.press("End")
        last = page.locator(".jb-card").last.get_attribute("data-step")
        focus_is(page, last)
        becomes(lambda: in_view(page, f"#card-{last}"), True, page)


def test_the_keys_walk_in_space_add_open_and_come_back(browser, live_server, journey):
    made = journey()
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, made)
        page.locator("#card-\\.trigger .jb-hit").focus()
        for key, step in (("ArrowDown", "welcome"), ("End", "engaged"), ("ArrowUp", "opened"), ("Home", ".trigger")):
            page.keyboard.press(key)
            focus_is(page, step)
        page.keyboard.press("ArrowUp")  # there is nothing
        focus_is(page, ".trigger")
        for _ in range(3):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("a")  # two paths: the first has the focus
        focus_is(page, "plus-opened-yes")
        page.keyboard.press("ArrowRight")
        focus_is(page, "plus-opened-else")
        page.keyboard.press("Escape")
        focus_is(page, "opened")
        page.keyboard.press("b")
        expect(page.locator("#builder-menu")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#builder-menu")).to_be_hidden()
        focus_is(page, "opened")
        page.keyboard.press("ArrowUp")
        focus_is(page, "morning")
        page.keyboard.press("Enter")
        expect(page.locator("#builder-panel form")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#builder-panel")).to_be_hidden()
        focus_is(page, "morning")


def test_a_step_is_added_deleted_and_brought_back_by_keys_and_the_focus_is_never_lost(browser, live_server, journey):
    made = journey()
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, made)
        page.locator("#card-welcome .jb-hit").focus()
        page.keyboard.press("a")
        page.keyboard.type("tag")
        page.keyboard.press("Enter")
        expect(page.locator("#builder-panel form")).to_be_visible()  # a new step is filled in at once
        page.keyboard.press("Escape")
        focus_is(page, "add-tag")
        page.keyboard.press("Delete")
        expect(page.locator("#card-add-tag")).to_have_count(0)
        focus_is(page, "welcome")  # the one before it
        page.keyboard.press("Control+z")
        expect(page.locator("#card-add-tag")).to_have_count(1)
        expect(page.locator("#builder-said")).to_contain_text("Undone")
        page.locator("[data-do=undo]").focus()
        page.keyboard.press("Enter")  # nothing is left to undo, and the button cannot keep the focus
        expect(page.locator("#card-add-tag")).to_have_count(0)
        expect(page.locator("[data-do=undo]")).to_be_disabled()
        focus_is(page, "welcome")


def test_a_question_mark_lists_the_keys(browser, live_server, journey):
    made = journey()
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, made)
        page.locator("#card-welcome .jb-hit").focus()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="The map by keyboard")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#builder-keys")).to_be_hidden()
        focus_is(page, "welcome")


def test_the_step_that_is_looked_at_is_kept_in_the_address(browser, live_server, journey):
    definition = grown(64)
    made, last = journey(definition), None
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, made)
        last = page.locator(".jb-card").last.get_attribute("data-step")
        page.locator("#card-\\.trigger .jb-hit").focus()
        page.keyboard.press("End")
        becomes(lambda: page.url.endswith(f"#step={last}"), True, page)
        page.reload()
        page.wait_for_selector("#builder.jb-drawn")
        focus_is(page, last)
        assert in_view(page, f"#card-{last}")
        page.keyboard.press("Home")
        becomes(lambda: "#" in page.url, False, page)


def test_a_card_is_carried_to_another_place(browser, live_server, journey):
    made = journey()
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, made)
        carry(page, "welcome", "plus-morning-next")
        page.mouse.up()
        becomes(lambda: Workflow.objects.get(pk=made.pk).draft["start"], "morning", page)
        steps = Workflow.objects.get(pk=made.pk).draft["steps"]
        assert steps["morning"]["next"] == {"next": "welcome"} and steps["welcome"]["next"] == {"next": "opened"}
        expect(page.locator(".jb-hand")).to_have_count(0)
        expect(page.locator("#builder-panel")).to_be_hidden()  # the click that ends it opens nothing
        focus_is(page, "welcome")


def test_a_card_in_the_hand_is_put_back_by_escape(browser, live_server, journey):
    made = journey()
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, made)
        carry(page, "welcome", "plus-morning-next")
        page.keyboard.press("Escape")
        expect(page.locator(".jb-hand, .jb-target, .jb-lifted")).to_have_count(0)
        page.mouse.up()
        assert Workflow.objects.get(pk=made.pk).draft_revision == made.draft_revision


def carry(page, step: str, plus: str) -> None:
    """The button of the mouse is held down over the place."""
    card, place = page.locator(f"#card-{step}").bounding_box(), page.locator(f"#{plus}").bounding_box()
    page.mouse.move(card["x"] + 60, card["y"] + 30)
    page.mouse.down()
    page.mouse.move(card["x"] + 70, card["y"] + 50, steps=3)
    expect(page.locator(f"#{plus}.jb-open")).to_be_visible()
    page.mouse.move(place["x"] + 14, place["y"] + 14, steps=5)
    expect(page.locator(f"#{plus}.jb-target")).to_be_visible()


def test_the_map_is_shown_smaller_fitted_and_in_its_own_size(browser, live_server, journey):
    made = journey(grown(64))
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, made)
        shown = page.locator("#builder-scale")
        expect(shown).to_have_text("100%")
        page.get_by_role("button", name="Smaller").click()
        expect(shown).to_have_text("90%")
        page.locator("#card-\\.trigger .jb-hit").focus()
        page.keyboard.press("f")
        expect(shown).not_to_have_text("90%")
        view = page.locator("#builder-view")
        assert view.evaluate("(view) => view.scrollWidth <= view.clientWidth"), "the whole width is seen"
        page.keyboard.press("0")
        expect(shown).to_have_text("100%")
        page.keyboard.press("=")
        expect(shown).to_have_text("110%")


def test_a_long_journey_has_a_small_map_that_leads_anywhere_and_a_short_one_has_none(browser, live_server, journey):
    long, short = journey(grown(64)), journey({**copy.deepcopy(STARTER), "slug": "short", "start": None, "steps": {}})
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, long)
        small = page.locator("#builder-minimap")
        expect(small).to_be_visible()
        last = page.locator(".jb-card").last.get_attribute("data-step")
        assert not in_view(page, f"#card-{last}")
        box = page.locator("#builder-minimap svg").bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] - 2)
        becomes(lambda: in_view(page, f"#card-{last}"), True, page)
        becomes(lambda: float(small.locator("rect").get_attribute("y")) > 1000, True, page)
        page = opened(visitor, short)
        expect(page.locator("#builder-minimap")).to_be_hidden()


def test_the_ground_is_pulled_with_the_mouse_and_pushed_with_the_keys(browser, live_server, journey):
    made = journey(grown(64))
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, made)
        view = page.locator("#builder-view")
        box = view.bounding_box()
        page.mouse.move(box["x"] + 30, box["y"] + 500)
        page.mouse.down()
        page.mouse.move(box["x"] + 30, box["y"] + 200, steps=4)
        page.mouse.up()
        becomes(lambda: view.evaluate("(view) => view.scrollTop"), 300, page)
        page.locator("#card-\\.trigger .jb-hit").evaluate("(card) => card.focus({ preventScroll: true })")
        page.keyboard.press("Shift+ArrowDown")
        becomes(lambda: view.evaluate("(view) => view.scrollTop"), 420, page)


def test_a_new_card_arrives_visibly_only_where_motion_is_wanted(browser, live_server, journey):
    made = journey()
    motion = "(card) => [getComputedStyle(card).animationName, getComputedStyle(card).transitionProperty]"
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, made)
        page.locator("#plus-welcome-next").click()
        page.locator("#builder-menu [data-kind=add_tag]").click()
        card = page.locator("#card-add-tag.jb-new")
        expect(card).to_be_visible()
        assert card.evaluate(motion) == ["none", "none"]
        page.emulate_media(reduced_motion="no-preference")
        assert card.evaluate(motion) == ["jb-arrive", "translate"]


def test_on_a_telephone_the_page_does_not_scroll_sideways(browser, live_server, journey):
    made = journey(grown(64))
    with visiting(browser, live_server.url, width=390, height=844, dark=True) as visitor:
        page = opened(visitor, made)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert in_view(page, "#card-\\.trigger")
        page.locator("[data-keys]").click()
        expect(page.locator("#builder-keys")).to_be_visible()
        assert page.evaluate("document.getElementById('builder-keys').getBoundingClientRect().right <= innerWidth")


def test_a_mistaken_draft_is_drawn_with_its_loose_ends(browser, live_server, journey):
    draft = copy.deepcopy(STARTER)
    draft["steps"]["engaged"]["next"] = {"next": "welcome"}
    draft["steps"]["opened"]["next"]["else"] = "nowhere"
    draft["steps"]["morning"]["type"] = "teleport"
    draft["steps"]["lost"] = {"type": "wait", "name": "Lost", "config": {}, "next": {"next": "lost"}}
    made = journey(draft)
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, made)
        expect(page.locator("#end-engaged-next")).to_have_text("To “Welcome”")
        expect(page.locator("#end-opened-else")).to_have_text("To “nowhere”, which is not there")
        expect(page.locator("#card-morning .jb-kind")).to_have_text("Unknown step “teleport”")
        expect(page.locator("#card-lost.jb-apart")).to_be_visible()
        assert page.evaluate(MEASURE)["faults"] == []
