"""The editor of templates as somebody uses it who also reads the console: mouse, keys, two at once, dark, small."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from contacts import clock
from delivery.authoring import templates
from delivery.authoring.blocks import starters as blocks_starters
from delivery.models import StaffNotice, Template, TemplateVersion
from tests.browser.test_segments import CONTRASTS
from tests.browser.visit import becomes, expect, visiting
from tests.inhabited import Inhabited, inhabit

pytestmark = pytest.mark.django_db(transaction=True)

ADD = "/admin/delivery/template/add/"
FRAME = "[data-preview=frame]"


@pytest.fixture
def town(transactional_db) -> Inhabited:
    return inhabit(now=clock.now(), contacts=12)


@pytest.fixture
def welcome(town) -> Template:
    return Template.objects.get(versions=save("Welcome, {{first_name}}"))


def save(subject: str) -> int:
    starter = blocks_starters.starter("welcome")
    source = {"kind": "blocks", "body": [dict(block) for block in starter.blocks]}
    return templates.save_version(
        slug="greeting", name="Greeting", subject=subject, preheader="P", source=source, saved_by="ada", now=clock.now()
    )


def page_of(template: Template) -> str:
    return reverse("admin:delivery_template_change", args=[template.pk])


def block(page, path: str):
    return page.locator(f'[data-path="{path}"] > .ed-block-head > [data-part=open]')


def expect_kinds(page, *wanted: str) -> None:
    expect(page.locator("[data-part=blocks] > .ed-blocks > li > .ed-block-head b")).to_have_text(wanted)


def expect_focus_at(page, place: str) -> None:
    expect(page.locator(":focus")).to_have_attribute("data-place", place)


def test_a_template_is_made_of_a_starter_and_the_preview_follows_the_keys(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(ADD)
        page = visitor.page
        page.get_by_role("link", name="Welcome").click()
        page.wait_for_selector(".ed-is-ready")
        mail = page.frame_locator(FRAME)
        mail.get_by_role("heading", name="Welcome, Ana").wait_for()
        page.fill("[data-name]", "Hello there")
        block(page, "2").click()
        page.fill("[data-place='blocks.2.text']", "Good morning, {{first_name}}")
        mail.get_by_role("heading", name="Good morning, Ana").wait_for()
        expect(block(page, "2")).to_contain_text("Good morning, First name")
        page.click("[data-mode=mobile]")
        becomes(lambda: page.locator(FRAME).evaluate("(frame) => frame.offsetWidth"), 375, page)
        page.click("[data-mode=dark]")
        page.wait_for_function("document.querySelector('[data-preview=frame]').srcdoc.includes('@media all {')")
        page.click("[data-mode=text]")
        expect(page.locator("[data-preview=plain]")).to_be_visible()
        expect(page.locator("[data-preview=plain]")).to_contain_text("Good morning, Ana")
        page.click("[data-mode=code]")
        expect(page.locator("[data-preview=codeText]")).to_have_value(re.compile("^<mjml>"))
        page.get_by_role("button", name="Save as v1").click()
        page.wait_for_url("**/change/")
        template = Template.objects.get(slug="hello-there")
        assert "Good morning, {{first_name}}" in template.live_version.html
        expect(page.get_by_role("button", name="v1 is live")).to_be_disabled()


def test_blocks_are_added_moved_doubled_and_deleted_by_keyboard_alone(browser, live_server, welcome):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(page_of(welcome))
        page, keys = visitor.page, visitor.page.keyboard
        page.wait_for_selector(".ed-is-ready")
        expect_kinds(page, "Logo", "Heading", "Text", "Button", "Columns", "Footer")
        block(page, "3").focus()
        keys.press("Alt+ArrowUp")
        expect_kinds(page, "Logo", "Text", "Heading", "Button", "Columns", "Footer")
        expect(page.locator("[data-path='2'] :focus")).to_have_count(1)
        keys.press("ArrowDown")
        keys.press("Enter")  # opens the heading
        page.locator("[data-path='3'] [data-part=double]").focus()
        keys.press("Enter")
        expect_kinds(page, "Logo", "Text", "Heading", "Heading", "Button", "Columns", "Footer")
        keys.press("Delete")
        expect_kinds(page, "Logo", "Text", "Heading", "Button", "Columns", "Footer")
        page.get_by_text("Heading is deleted.").wait_for()
        keys.press("Control+z")
        expect_kinds(page, "Logo", "Text", "Heading", "Heading", "Button", "Columns", "Footer")
        keys.press("Control+Shift+z")
        expect_kinds(page, "Logo", "Text", "Heading", "Button", "Columns", "Footer")
        block(page, "1").focus()
        for _ in range(9):
            keys.press("Alt+ArrowDown")  # never past the footer
        expect_kinds(page, "Text", "Heading", "Button", "Columns", "Logo", "Footer")
        page.get_by_role("button", name="Add block").focus()
        keys.press("Enter")
        expect(page.locator(":focus")).to_have_attribute("role", "menuitem")
        keys.press("ArrowRight")
        keys.press("Enter")
        expect_focus_at(page, "blocks.6.text")
        keys.type("At the end")
        keys.press("Control+s")
        page.get_by_text("Journeys send v2 from now on.").wait_for()
        body = TemplateVersion.objects.get(template=welcome, number=2).source["body"]
        assert [each["type"] for each in body] == [
            "theme",
            "text",
            "heading",
            "button",
            "columns",
            "logo",
            "text",
            "footer",
        ]
        assert body[-2]["text"] == "At the end"
        expect(page.locator(":focus")).to_have_count(1)


def test_a_block_is_dragged_to_another_place(browser, live_server, welcome):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(page_of(welcome))
        page = visitor.page
        page.wait_for_selector(".ed-is-ready")
        grip = page.locator("[data-path='4'] > .ed-block-head .ed-grip")
        grip.drag_to(page.locator("[data-path='1']"), target_position={"x": 40, "y": 2})
        expect_kinds(page, "Button", "Logo", "Heading", "Text", "Columns", "Footer")
        page.get_by_role("button", name="Undo").click()
        expect_kinds(page, "Logo", "Heading", "Text", "Button", "Columns", "Footer")


def test_a_merge_tag_is_inserted_with_what_to_say_without_it(browser, live_server, welcome):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(page_of(welcome))
        page, keys = visitor.page, visitor.page.keyboard
        page.wait_for_selector(".ed-is-ready")
        page.fill("[data-place=subject]", "Dear ")
        page.locator(".ed-field", has=page.locator("[data-place=subject]")).get_by_role(
            "button", name="First name"
        ).click()
        keys.type("friend")
        keys.press("Enter")
        expected = "Dear {{first_name}}{{^first_name}}friend{{/first_name}}"
        expect(page.locator("[data-place=subject]")).to_have_value(expected)
        expect_focus_at(page, "subject")
        page.locator("[data-preview=subject]", has_text="Dear Ana").wait_for()
        keys.press("Control+z")
        expect(page.locator("[data-place=subject]")).to_have_value("Dear ")


def test_two_who_save_at_once_both_keep_their_words(browser, live_server, welcome):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(page_of(welcome))
        page = visitor.page
        page.wait_for_selector(".ed-is-ready")
        page.fill("[data-place=subject]", "Mine")
        save("Theirs")
        subject = page.locator("[data-place=subject]")
        page.click("[data-save]")
        dialog = page.get_by_role("dialog", name="Somebody else saved meanwhile")
        dialog.get_by_text("ada saved v2").wait_for()
        expect(dialog).to_contain_text("Subject: Theirs")
        expect(dialog).to_contain_text("Subject: Mine")
        dialog.get_by_role("button", name="Take theirs").click()
        expect(subject).to_have_value("Theirs")
        page.get_by_role("button", name="Undo").click()
        expect(subject).to_have_value("Mine")
        save("Theirs again")
        page.click("[data-save]")
        dialog.get_by_role("button", name="Save mine as v4").click()
        page.get_by_text("Journeys send v4 from now on.").wait_for()
        subjects = TemplateVersion.objects.filter(template=welcome).order_by("number").values_list("subject", flat=True)
        assert list(subjects) == ["Welcome, {{first_name}}", "Theirs", "Theirs again", "Mine"]
        visitor.complaints = [line for line in visitor.complaints if "409" not in line]


def test_what_was_not_saved_is_kept_in_this_browser_and_offered_again(browser, live_server, welcome):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(page_of(welcome))
        page = visitor.page
        page.wait_for_selector(".ed-is-ready")
        page.fill("[data-place=subject]", "Not saved yet")
        page.wait_for_function("Object.keys(localStorage).some((name) => name.startsWith('carillon.template.'))")
        page.on("dialog", lambda dialog: dialog.accept())  # the browser asks whether to leave
        page.reload()
        page.get_by_role("button", name="Bring them back").click()
        expect(page.locator("[data-place=subject]")).to_have_value("Not saved yet")
        page.keyboard.press("Control+s")
        page.get_by_text("Journeys send v2 from now on.").wait_for()
        kept = "Object.keys(localStorage).filter((name) => name.startsWith('carillon.template.'))"
        becomes(lambda: page.evaluate(kept), [], page)


def test_a_version_is_looked_at_compared_and_restored(browser, live_server, welcome):
    save("Another subject")
    with visiting(browser, live_server.url) as visitor:
        visitor.go(page_of(welcome))
        page = visitor.page
        page.wait_for_selector(".ed-is-ready")
        page.get_by_role("tab", name="Versions").click()
        page.get_by_role("button", name="Compare").click()
        page.locator(".ed-diff-new", has_text="Subject: Another subject").wait_for()
        page.get_by_role("button", name="Look").last.click()
        page.frame_locator("[data-dialog=look] iframe").get_by_role("heading", name="Welcome, Ana").wait_for()
        page.get_by_role("button", name="Close").click()
        with page.expect_navigation():
            page.get_by_role("button", name="Restore").click()
        page.wait_for_selector(".ed-is-ready")
        expect(page.locator("[data-place=subject]")).to_have_value("Welcome, {{first_name}}")
        assert TemplateVersion.objects.get(template=welcome, number=3).subject == "Welcome, {{first_name}}"


def test_nothing_that_is_written_or_known_of_a_contact_runs_in_the_preview(browser, live_server, town, welcome):
    hostile = '<img src=x onerror="top.broken=1"><script>top.broken=1</script>'
    with visiting(browser, live_server.url) as visitor:
        visitor.go(page_of(welcome))
        page = visitor.page
        page.wait_for_selector(".ed-is-ready")
        page.fill("[data-place=subject]", hostile)
        block(page, "2").click()
        page.fill("[data-place='blocks.2.text']", hostile + "{{first_name}}")
        page.fill("[data-preview=person]", town.mallory.email)
        page.get_by_role("option").first.wait_for()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.frame_locator(FRAME).get_by_role("heading", name="<img src=x").wait_for()
        page.locator("[data-preview=said]", has_text=str(town.mallory)).wait_for(state="attached")
        page.frame_locator(FRAME).get_by_role("heading", name="<script>").wait_for()
        expect(page.locator(FRAME)).to_have_attribute("sandbox", "")
        assert page.evaluate("window.broken") is None


@pytest.mark.parametrize(
    "html", ["<p>Words</p>", "<!doctype html><html lang='en'><body><header><p>Words</p></header></body></html>"]
)
def test_a_mail_without_a_head_can_be_read_in_the_dark(browser, live_server, town, html):
    templates.save_version(slug="bare", name="Bare", subject="S", html=html, now=clock.now())
    with visiting(browser, live_server.url) as visitor:
        visitor.go(page_of(Template.objects.get(slug="bare")))
        page = visitor.page
        page.wait_for_selector(".ed-is-ready")
        words = page.frame_locator(FRAME).get_by_text("Words", exact=True)
        words.wait_for()
        page.click("[data-mode=dark]")
        page.frame_locator(FRAME).locator("meta[name=color-scheme][content=dark]").wait_for(state="attached")
        expect(words).to_have_css("color", "rgb(255, 255, 255)")


def test_a_finding_leads_to_its_field_and_a_mistake_keeps_the_words(browser, live_server, welcome):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(page_of(welcome))
        page = visitor.page
        page.wait_for_selector(".ed-is-ready")
        block(page, "4").click()
        page.fill("[data-place='blocks.4.href']", "javascript:alert(1)")
        page.locator("[data-preview=problem]", has_text="Has to begin with https://").wait_for()
        block(page, "4").click()
        page.get_by_role("tab", name="Checks").click()
        page.get_by_role("button", name="Button").first.click()
        expect_focus_at(page, "blocks.4.href")
        href = page.locator("[data-place='blocks.4.href']")
        expect(href).to_have_attribute("aria-invalid", "true")
        page.click("[data-save]")
        page.get_by_text("Not saved:").wait_for()
        expect(href).to_have_value("javascript:alert(1)")
        page.fill("[data-place='blocks.4.href']", "https://example.com/start")  # as it was: nothing to save
        page.get_by_role("button", name="v1 is live").wait_for()
        visitor.complaints = [line for line in visitor.complaints if "400" not in line]


def test_a_language_is_added_written_and_removed(browser, live_server, welcome):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(page_of(welcome))
        page = visitor.page
        page.wait_for_selector(".ed-is-ready")
        page.get_by_role("button", name="Add a language").click()
        page.get_by_role("combobox", name="Language").fill("de")
        page.get_by_role("button", name="Add", exact=True).click()
        page.get_by_text("For contacts whose language is German").wait_for()
        page.fill("[data-place=subject]", "Willkommen")
        page.get_by_role("button", name="Everybody").click()
        expect(page.locator("[data-place=subject]")).to_have_value("Welcome, {{first_name}}")
        page.keyboard.press("Control+s")
        page.get_by_text("Journeys send v2 from now on.").wait_for()
        assert TemplateVersion.objects.get(template=welcome, number=2).locales["de"]["subject"] == "Willkommen"


def test_blocks_become_code_after_a_question_and_undo_brings_them_back(browser, live_server, welcome):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(page_of(welcome))
        page = visitor.page
        page.wait_for_selector(".ed-is-ready")
        page.click("[data-mode=code]")
        page.get_by_role("button", name="Go on as code").click()
        page.get_by_role("dialog").get_by_text("no way back to blocks").wait_for()
        page.get_by_role("dialog").get_by_role("button", name="Go on as code").click()
        code = page.locator("#ed-code")
        expect(code).to_have_value(re.compile("Open my workspace"))
        code.fill(code.input_value().replace("Open my workspace", "Begin"))
        page.frame_locator(FRAME).get_by_role("link", name="Begin").wait_for()
        for _ in range(2):
            page.get_by_role("button", name="Undo").click()
        expect_kinds(page, "Logo", "Heading", "Text", "Button", "Columns", "Footer")


def test_a_text_message_says_how_many_messages_it_is(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(f"{ADD}?begin=sms")
        page = visitor.page
        page.wait_for_selector(".ed-is-ready")
        page.fill("[data-place=text]", "a" * 160)
        page.get_by_text("160 letters, one text message").wait_for()
        page.fill("[data-place=text]", "a" * 161)
        page.get_by_text("161 letters, 2 text messages").wait_for()
        page.fill("[data-place=text]", "ж" * 71)
        page.get_by_text("71 letters, 2 text messages; with letters").wait_for()
        page.fill("[data-name]", "Short")
        page.keyboard.press("Control+s")
        page.wait_for_url("**/change/")
        assert Template.objects.get(slug="short").channel == "sms"


def test_a_test_mail_is_sent_from_the_page(browser, live_server, welcome):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(page_of(welcome))
        page = visitor.page
        page.wait_for_selector(".ed-is-ready")
        page.get_by_role("button", name="Send test").click()
        dialog = page.get_by_role("dialog", name="Send a test")
        expect(dialog.get_by_label("To")).to_have_value("maya@example.com")
        dialog.get_by_role("button", name="Send").click()
        dialog.get_by_text("On its way to maya@example.com").wait_for()
        assert StaffNotice.objects.get().subject == "[Test] Welcome, Ana"


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 1280), (False, 390), (True, 390)])
def test_every_text_can_be_read_and_nothing_is_wider_than_the_window(browser, live_server, welcome, dark, width):
    with visiting(browser, live_server.url, dark=dark, width=width) as visitor:
        page = visitor.page
        for path in (ADD, f"{ADD}?begin=html", f"{ADD}?begin=push", page_of(welcome)):
            visitor.go(path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        page.wait_for_selector(".ed-is-ready")
        for path in ("2", "3", "5", "6"):
            block(page, path).click()
            look(page)
        for tab in ("Design", "Checks", "Versions", "Settings"):
            page.get_by_role("tab", name=tab).click()
            look(page)
        unnamed = "[...document.querySelectorAll('.ed :is(input, select, textarea, button, iframe)')].filter((e) => "
        unnamed += (
            "e.checkVisibility() && !e.ariaLabel && !e.textContent.trim() && !e.labels?.length && !e.title).length"
        )
        assert page.evaluate(unnamed) == 0


def look(page) -> None:
    expect(page.locator("[data-preview=stage][aria-busy]")).to_have_count(0)  # what was found is on the page
    contrasts = page.locator(".cl-page").evaluate(CONTRASTS)
    assert len(contrasts) > 10
    assert [(round(ratio, 1), text) for ratio, text in contrasts if ratio < 4.5] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
