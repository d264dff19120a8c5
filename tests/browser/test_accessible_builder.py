"""What opens on the builder and beside it, for people who do not use it as its makers do: audited, by keyboard, without
motion, in another theme, and with names that are markup."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from contacts import clock
from delivery.public import unsubscribing
from tests import journeys
from tests.browser import auditing
from tests.browser.visit import PASSWORD, USERNAME, Visitor, becomes, expect, visiting
from tests.delivery import making
from tests.journeys import definition, step
from workflows import publishing
from workflows.models import Workflow

pytestmark = pytest.mark.django_db(transaction=True)

HOSTILE = "<img src=x onerror=\"window.broken='name'\"><b>Bold</b> & co"
STEPS = {
    "check": {**step("branch", {"yes": "one", "else": "two"}, arms=[{"key": "yes", "if": {"has_tag": "vip"}}])},
    "one": {**step("add_tag", {"next": "meet"}, tag="t"), "name": "First"},
    "two": {**step("wait", {"next": "meet"}, mode="duration", **{"for": "P3D"}), "name": "Second"},
    "meet": {**step("send_message", template="no-such"), "name": HOSTILE},
}
# Every control that can be focused and seen, and has neither an outline nor a shadow of its own once it is.
UNMARKED = """() => {
    const all = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
    const look = (each) => {  // a search box is marked as a whole
        const [own, around] = [getComputedStyle(each), getComputedStyle(each.parentElement)];
        return [own.boxShadow, own.borderColor, around.outline, around.boxShadow].join();
    };
    const plain = [];
    for (const each of document.querySelectorAll(all)) {
        const hidden = each.closest('[inert], [aria-hidden=true]');
        if (each.disabled || hidden || !each.checkVisibility({ visibilityProperty: true })) continue;
        document.activeElement?.blur();
        const before = look(each);
        each.focus({ focusVisible: true, preventScroll: true });
        if (document.activeElement !== each) continue;
        const { outlineStyle, outlineWidth } = getComputedStyle(each);
        const outlined = outlineStyle !== 'none' && parseFloat(outlineWidth) > 0;
        if (!outlined && look(each) === before) plain.push(each.outerHTML.slice(0, 160));
    }
    document.activeElement?.blur();
    return plain;
}"""
SWITCH = "(theme) => Alpine.$data(document.documentElement).switchTheme(theme)"  # what the entry in the menu does
MOVED = """for (const kind of ["transitionrun", "animationstart"]) addEventListener(kind, (event) => {
    (window.moved ??= []).push(`${kind} ${event.propertyName ?? event.animationName} of ${event.target.className}`);
}, true);"""


@pytest.fixture
def maya(transactional_db) -> User:
    return User.objects.create_superuser(USERNAME, "maya@example.com", PASSWORD, first_name="Maya")


@pytest.fixture
def journey(maya) -> Workflow:
    draft = definition(STEPS, slug="hostile", name=HOSTILE)
    return publishing.save_draft(definition=draft, now=clock.now(), by=USERNAME)


@pytest.fixture
def sound(maya) -> Workflow:
    """A journey that may be published again."""
    journeys.publish(definition({"one": step("add_tag", tag="t")}, slug="sound"))
    draft = definition({"one": {**step("add_tag", tag="t"), "name": "Anew"}}, slug="sound")
    return publishing.save_draft(definition=draft, now=clock.now(), by=USERNAME)


def builder_of(workflow: Workflow) -> str:
    return reverse("admin:workflows_workflow_change", args=[workflow.pk])


def opened(visitor: Any, journey: Workflow) -> Any:
    visitor.go(builder_of(journey))
    visitor.page.wait_for_selector("#builder.jb-drawn")
    return visitor.page


def open_panel(page: Any) -> None:
    page.locator("#card-two .jb-hit").click()
    expect(page.locator("#builder-panel form")).to_be_visible()


def open_adding(page: Any) -> None:
    page.locator("#plus-one-next").click()
    expect(page.locator("#builder-menu")).to_be_visible()


def open_deeds(page: Any) -> None:
    page.locator("#card-one .jb-hit").focus()
    page.keyboard.press("Shift+F10")
    expect(page.locator("#builder-card-menu")).to_be_visible()


def open_problems(page: Any) -> None:
    page.locator("#builder-problems summary").click()
    expect(page.locator("#builder-problems ul")).to_be_visible()


def open_removing(page: Any) -> None:
    page.locator("#card-check .jb-hit").focus()
    page.keyboard.press("Delete")
    expect(page.get_by_role("dialog").get_by_role("radiogroup")).to_be_visible()


def open_keys(page: Any) -> None:
    page.locator("[data-keys]").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def open_trying(page: Any) -> None:
    page.get_by_role("button", name="Test contact").click()
    expect(page.locator("#builder-trying form")).to_be_visible()


SURFACES: dict[str, Callable[[Any], None]] = {
    "panel": open_panel,
    "menu of steps": open_adding,
    "menu of a card": open_deeds,
    "problems": open_problems,
    "removing": open_removing,
    "keys": open_keys,
    "test contact": open_trying,
}


OPEN = "aside:not([hidden]), :popover-open, dialog[open], #builder-problems[open]"


@pytest.mark.parametrize("dark", [False, True])
def test_whatever_is_open_on_the_builder_passes_and_escape_closes_it(browser, live_server, journey, sound, dark):
    auditing.require_axe()
    faults: list[str] = []
    with visiting(browser, live_server.url, dark=dark) as visitor:
        page = opened(visitor, journey)
        for name, open_it in SURFACES.items():
            open_it(page)
            faults += auditing.audit(page, name)
            if name in ("panel", "problems", "test contact"):
                faults += auditing.too_wide(page, name)
            page.keyboard.press("Escape")
            expect(page.locator(OPEN), name).to_have_count(0)
            assert page.evaluate("document.activeElement !== document.body"), f"{name}: the focus is lost"
        page = opened(visitor, sound)
        page.get_by_role("button", name="Publish", exact=True).click()
        expect(page.get_by_role("button", name="Publish v2")).to_be_visible()
        faults += auditing.audit(page, "publishing")
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Publish", exact=True)).to_be_focused()
        page.get_by_label("More", exact=True).click()
        faults += auditing.audit(page, "more")
    assert faults == [], "\n".join(faults)


def test_escape_gives_the_focus_back_to_what_opened(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, journey)
        for key, shut in (("#card-two .jb-hit", "#builder-panel"), ("#plus-one-next", "#builder-menu")):
            page.locator(key).focus()
            page.keyboard.press("Enter")
            expect(page.locator(shut)).to_be_visible()
            page.keyboard.press("Escape")
            expect(page.locator(shut)).to_be_hidden()
            expect(page.locator(key)).to_be_focused()


@pytest.mark.parametrize("dark", [False, True])
def test_the_focus_can_be_seen_on_every_control(browser, live_server, journey, dark):
    with visiting(browser, live_server.url, dark=dark) as visitor:
        page = opened(visitor, journey)
        page.keyboard.press("Tab")  # from here on the browser shows the focus
        assert page.evaluate(UNMARKED) == []
        open_panel(page)
        assert page.evaluate(UNMARKED) == []
        for path in ("/admin/", "/admin/workflows/workflow/", "/admin/contacts/segment/add/", "/admin/auth/user/add/"):
            visitor.go(path)
            page.keyboard.press("Tab")
            assert page.evaluate(UNMARKED) == [], path


def test_nothing_moves_for_whoever_asked_for_less_motion(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:  # it asks for that
        visitor.page.add_init_script(MOVED)
        page = opened(visitor, journey)
        open_panel(page)
        page.keyboard.press("Escape")
        open_adding(page)
        page.locator("#builder-menu [data-kind=add_tag]").click()
        expect(page.locator(".jb-card")).to_have_count(6)
        page.keyboard.press("Escape")
        open_problems(page)
        assert page.evaluate("document.getAnimations().map((each) => each.effect.target.className)") == []
        assert page.evaluate("window.moved ?? []") == []


def test_the_map_and_its_panel_follow_the_theme_while_they_are_open(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, journey)
        open_panel(page)
        looks = """() => ['.jb-card', '#builder-panel', '#builder-view', '.jb-line'].map((each) => {
            const { backgroundColor, stroke } = getComputedStyle(document.querySelector(each));
            return `${backgroundColor} ${stroke}`; })"""
        light = page.evaluate(looks)
        page.evaluate(SWITCH, "dark")
        expect(page.locator("html.dark")).to_have_count(1)
        becomes(lambda: [one == two for one, two in zip(page.evaluate(looks), light, strict=True)], [False] * 4, page)
        expect(page.locator("#builder-panel form")).to_be_visible()
        page.evaluate(SWITCH, "light")
        becomes(lambda: page.evaluate(looks), light, page)


def test_a_name_with_markup_is_text_wherever_it_stands(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        page = opened(visitor, journey)
        card = page.locator("#card-meet")
        expect(card.locator(".jb-name")).to_have_text(HOSTILE)
        label = card.locator(".jb-hit").get_attribute("aria-label")
        assert label is not None and HOSTILE in label
        open_problems(page)
        expect(page.locator("#builder-problems li").filter(has_text=HOSTILE).first).to_be_visible()
        expect(page.get_by_label("Name of the journey")).to_have_value(HOSTILE)
        assert page.locator("#builder img, #builder .jb-name b, #builder-problems li b b").count() == 0
        visitor.go("/admin/workflows/workflow/")
        expect(page.get_by_role("link", name=HOSTILE).first).to_be_visible()
        assert page.evaluate("window.broken") is None


def test_an_operation_without_the_token_of_the_page_is_refused(journey, maya):
    stranger = Client(enforce_csrf_checks=True)
    stranger.force_login(maya)
    address = reverse("admin:workflows_workflow_operation", args=[journey.pk])
    answer = stranger.post(address, {"op": "rename", "name": "Mine now", "revision": journey.draft_revision})
    assert answer.status_code == 403
    journey.refresh_from_db()
    assert journey.name == HOSTILE


@pytest.mark.parametrize("dark", [False, True])
def test_pages_without_a_login_pass_and_fit(browser, live_server, transactional_db, settings, dark):
    auditing.require_axe()
    settings.TOPICS = {"newsletter": "Newsletter", "offers": "Offers and sales"}
    message = making.message(making.contact("ada@example.com").pk)
    making.deliver()
    token = unsubscribing.token_of(str(message.public_id))
    context = browser.new_context(color_scheme="dark" if dark else "light", reduced_motion="reduce")
    try:
        visitor = Visitor(context.new_page(), live_server.url)
        faults: list[str] = []
        for path in ("/admin/login/", f"/preferences/{token}", f"/u/{token}", "/preferences/nonsense"):
            visitor.go(path)
            faults += auditing.audit(visitor.page, path) + auditing.too_wide(visitor.page, path)
        assert faults == [], "\n".join(faults)
        assert visitor.complaints == []
    finally:
        context.close()
