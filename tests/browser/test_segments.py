"""Segments as somebody builds them who also reads the console: by keyboard, by mouse, as JSON, in the dark."""

from __future__ import annotations

import json
import re

import pytest
from django.urls import reverse

from contacts import clock, transactions
from contacts.audiences import filling
from contacts.conditions import catalogue
from contacts.models import ContactTag, Segment
from tests.browser.visit import becomes, expect, visiting
from tests.inhabited import Inhabited, inhabit

pytestmark = pytest.mark.django_db(transaction=True)

ADD = "/admin/contacts/segment/add/"
ODD = {
    "all": [
        {"not": {"not": {"has_tag": "vip"}}},
        {"any": [{"event": "order_completed", "count": 2, "within": "P1DT12H", "where": {"all": [], "note": None}}]},
        {"field": ["attributes", "a.b"], "op": "in", "value": ["x", 5, True]},
        {"field": "email", "op": "gt", "value": 5},
        {"in_castle": ["x", {"deep": None}]},
        "nonsense",
    ]
}
# The contrast of every visible text below an element with its ground; colours are read as the screen shows them.
CONTRASTS = """(root) => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor);
    if (c[3] === 255) return c; } return [255, 255, 255, 255]; };
  const found = [];
  for (const e of root.querySelectorAll('*')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.closest('[hidden], :disabled, .cl-hidden, option, .cl-editor')) continue;
    const [one, other] = [light(rgba(getComputedStyle(e).color)), light(ground(e))].sort((a, b) => b - a);
    found.push([(one + 0.05) / (other + 0.05), e.textContent.trim().slice(0, 40)]);
  }
  return found;
}"""


@pytest.fixture
def town(transactional_db) -> Inhabited:
    catalogue.forget()
    return inhabit(now=clock.now(), contacts=12)


def written(page) -> object:
    return json.loads(page.locator("textarea[name=condition]").input_value())


def expect_written(page, wanted: object) -> None:
    becomes(lambda: written(page), wanted, page)


def expect_count(page, wanted: str) -> None:
    expect(page.locator("[data-count]")).to_have_text(wanted)


def test_a_segment_is_built_by_keyboard_alone_and_gets_its_members(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(ADD)
        page, keys = visitor.page, visitor.page.keyboard
        expect_count(page, "12")
        page.focus("#id_name")
        keys.type("Directors of the north")
        page.focus("[data-part=add-add]")
        keys.press("Enter")
        keys.press("Tab")  # from what it asks about to the field
        keys.type("job_title")
        keys.press("Tab")
        keys.type("contains")  # a select is chosen by its first letters
        keys.press("Tab")
        keys.type("Director")
        page.get_by_text("In words: job_title contains “Director”.").wait_for()
        expect_count(page, "4")
        expect(page.locator("[data-sample] a")).to_have_count(4)
        page.focus("form.cl-form button[type=submit]")
        keys.press("Enter")
        page.wait_for_url("**/change/")
        segment = Segment.objects.get()
        assert segment.slug == "directors-of-the-north"
        assert segment.condition == {"all": [{"field": "job_title", "op": "contains", "value": "Director"}]}
        while transactions.run(filling.fill_batch):
            pass
        visitor.go(reverse("admin:contacts_segment_members", args=[segment.pk]))
        expect(page.get_by_text(town.ana.email)).to_be_visible()
        expect(page.locator("tbody tr")).to_have_count(4)


def test_what_no_row_can_show_survives_both_ways_and_problems_stand_at_their_rows(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(ADD)
        page = visitor.page
        page.click("[data-part=tab-json]")
        text = json.dumps(ODD)
        page.fill("textarea[name=condition]", text)
        page.click("[data-part=tab-rows]")
        expect(page.locator("textarea[name=condition]")).to_have_value(text)
        wrong = page.locator("[data-path='all[3]']")
        wrong.get_by_text("gt does not go with email").wait_for()
        expect(wrong.locator("[data-part=op]")).to_have_attribute("aria-invalid", "true")
        expect(page.locator("[data-path='all[4]'] .cq-problem")).to_have_text(re.compile("^a condition has one of"))
        page.locator("[data-path='all[2]'] [data-part=value]").fill("new")
        page.keyboard.press("Enter")
        expected = json.loads(text)
        expected["all"][2]["value"].append("new")
        expect_written(page, expected)
        page.click("[data-part=tab-json]")
        page.fill("textarea[name=condition]", '{"field": "n", "op": "eq", "value": 9007199254740993}')
        page.click("[data-part=tab-rows]")
        expect(page.get_by_text("more digits than a browser keeps")).to_be_visible()
        expect(page.locator("textarea[name=condition]")).to_be_visible()
        page.fill("textarea[name=condition]", '{"all": [}')
        page.get_by_text("Line 1: expected a value").wait_for()
        page.fill("textarea[name=condition]", '{"all": []}')
        page.evaluate("window.onbeforeunload = null")
        page.locator("form.cl-form").evaluate("(form) => form.dispatchEvent(new Event('submit'))")


def test_rows_are_grouped_moved_removed_and_all_of_it_is_taken_back(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(ADD)
        page = visitor.page
        page.get_by_role("button", name="Add a condition").click()
        page.locator("[data-part=first]").select_option("has_tag")
        page.locator("[data-part=has_tag]").fill("vip")
        page.get_by_role("button", name="Add a condition").click()
        page.locator("[data-part=first]").last.select_option("event")
        page.locator("[data-part=event]").fill("order_completed")
        page.locator("[data-part=op]").select_option("never")
        vip, never = {"has_tag": "vip"}, {"event": "order_completed", "op": "eq", "count": 0}
        expect_written(page, {"all": [vip, never]})
        page.get_by_role("button", name="Put into a group").first.click()
        expect_written(page, {"all": [{"any": [vip]}, never]})
        page.get_by_role("button", name="Move up").last.click()  # into the group above
        expect_written(page, {"all": [{"any": [vip, never]}]})
        expect(page.locator(":focus")).to_have_attribute("data-part", "up")
        page.keyboard.press("Alt+ArrowUp")
        expect_written(page, {"all": [{"any": [never, vip]}]})
        page.keyboard.press("Alt+ArrowUp")  # and out at its other end
        expect_written(page, {"all": [never, {"any": [vip]}]})
        page.locator("[data-part=group]").last.select_option("none")
        expect_written(page, {"all": [never, {"not": {"any": [vip]}}]})
        page.get_by_role("button", name="Remove").first.click()
        expect_written(page, {"all": [{"not": {"any": [vip]}}]})
        for _ in range(2):
            page.get_by_role("button", name="Undo").click()
        expect_written(page, {"all": [never, {"any": [vip]}]})
        page.get_by_role("button", name="Redo").click()
        expect_written(page, {"all": [never, {"not": {"any": [vip]}}]})
        expect(page.locator(".cq-is-event")).to_have_count(1)
        page.locator("form.cl-form").evaluate("(form) => form.dispatchEvent(new Event('submit'))")


@pytest.mark.parametrize(("dark", "width"), [(False, 390), (True, 1280)])
def test_every_text_of_the_editor_can_be_read_and_nothing_is_wider_than_the_window(
    browser, live_server, town, dark, width
):
    Segment.objects.create(slug="odd", name="Odd", condition=ODD)
    with visiting(browser, live_server.url, dark=dark, width=width) as visitor:
        visitor.go(reverse("admin:contacts_segment_change", args=[Segment.objects.get().pk]))
        page = visitor.page
        page.locator("[data-path='all[4]'] .cq-problem").wait_for()
        contrasts = page.locator(".cl-page").evaluate(CONTRASTS)
        assert len(contrasts) > 30
        assert [(round(ratio, 1), text) for ratio, text in contrasts if ratio < 4.5] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        unnamed = "[...document.querySelectorAll('.cq :is(input, select, textarea, button)')].filter((e) => "
        unnamed += "e.checkVisibility() && !e.ariaLabel && !e.textContent.trim()).length"
        assert page.evaluate(unnamed) == 0


def test_a_tag_is_added_on_the_page_of_a_contact(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(reverse("admin:contacts_contact_change", args=[town.ana.pk]))
        page = visitor.page
        page.get_by_label("Tag to add").fill("champion")
        page.keyboard.press("Enter")
        page.get_by_text("Tagged “champion”.").wait_for()
        expect(page.get_by_role("button", name="Remove the tag champion")).to_be_visible()
        assert ContactTag.objects.filter(contact=town.ana, tag__name="champion").exists()
