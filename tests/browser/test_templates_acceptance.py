"""Acceptance check 41: the e-mail editor as a marketer meets it."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from contacts import clock
from contacts.models import Contact
from delivery import notices
from delivery.authoring import templates
from delivery.models import SandboxMail, Template, TemplateVersion
from tests.browser.test_templates import FRAME, block, expect_kinds, page_of, save
from tests.browser.visit import expect, visiting
from tests.inhabited import Inhabited, inhabit

pytestmark = pytest.mark.django_db(transaction=True)
SCRIPT = '<script>top.broken=1</script><img src=x onerror="top.broken=1">'


@pytest.fixture
def town(transactional_db) -> Inhabited:
    return inhabit(now=clock.now(), contacts=12)


@pytest.fixture
def welcome(town) -> Template:
    return Template.objects.get(versions=save("Welcome, {{first_name}}"))


def preview_as(page, contact: Contact) -> None:
    page.fill("[data-preview=person]", contact.email)
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")


def test_the_preview_follows_the_keys_and_the_contact_and_runs_nothing(browser, live_server, town, welcome):
    """41. Typing changes the preview; preview as another contact changes the name; `<script>` in a text block or in
    contact data is inert in the preview."""
    tom = Contact.objects.get(attributes__first_name="Tom")
    Contact.objects.filter(pk=town.mallory.pk).update(attributes={"first_name": SCRIPT})
    with visiting(browser, live_server.url) as visitor:
        page, mail = visitor.page, visitor.page.frame_locator(FRAME)
        page.on("dialog", lambda dialog: visitor.complaints.append(f"a dialog: {dialog.message}"))
        visitor.go(page_of(welcome))
        page.wait_for_selector(".ed-is-ready")
        block(page, "2").click()
        page.fill("[data-place='blocks.2.text']", "")
        page.locator("[data-place='blocks.2.text']").press_sequentially("Good day, {{first_name}}")
        expect(mail.get_by_role("heading", name="Good day, Ana")).to_be_visible()
        preview_as(page, tom)
        expect(mail.get_by_role("heading", name="Good day, Tom")).to_be_visible()
        block(page, "3").click()
        page.fill("[data-place='blocks.3.text']", f"In a text block: {SCRIPT}")
        expect(mail.get_by_text("In a text block: <script>")).to_be_visible()
        preview_as(page, town.mallory)
        expect(mail.get_by_role("heading", name="Good day, <script>")).to_be_visible()
        expect(mail.locator("script, [onerror]")).to_have_count(0)
        expect(page.locator(FRAME)).to_have_attribute("sandbox", "")
        assert page.evaluate("window.broken") is None


def test_the_footer_is_there_whatever_is_done(browser, live_server, welcome):
    """41. Removing the footer is impossible: no control and no key does it, and a mail without one gets one."""
    kinds = ("Logo", "Heading", "Text", "Button", "Columns", "Footer")
    with visiting(browser, live_server.url) as visitor:
        page, keys = visitor.page, visitor.page.keyboard
        visitor.go(page_of(welcome))
        page.wait_for_selector(".ed-is-ready")
        footer = page.locator("[data-part=blocks] > .ed-blocks > li", has=page.locator("b", has_text="Footer"))
        footer.locator("[data-part=open]").click()
        expect(footer.locator("textarea, input").first).to_be_visible()
        expect(footer.locator("[data-part=remove], [data-part=double], .ed-grip:visible")).to_have_count(0)
        footer.locator("[data-part=open]").focus()
        for key in ("Delete", "Backspace", "Alt+ArrowUp"):
            keys.press(key)
        expect_kinds(page, *kinds)
        block(page, "2").focus()
        keys.press("Delete")  # another one goes
        expect_kinds(page, "Logo", "Text", "Button", "Columns", "Footer")
        expect(page.frame_locator(FRAME).get_by_role("link", name=re.compile("unsubscribe", re.I))).to_have_count(1)
        page.locator("[data-part=undo]").click()
        expect_kinds(page, *kinds)

        body = TemplateVersion.objects.get(template=welcome).source["body"]
        bare = {"kind": "blocks", "body": [each for each in body if each["type"] != "footer"]}
        number = templates.save_version(
            slug="bare", name="Bare", subject="S", preheader="", source=bare, now=clock.now()
        )
        visitor.go(page_of(Template.objects.get(versions=number)))
        page.wait_for_selector(".ed-is-ready")
        expect_kinds(page, *kinds)
        expect(page.frame_locator(FRAME).get_by_role("link", name=re.compile("unsubscribe", re.I))).to_have_count(1)


def test_a_test_mail_arrives_once_and_says_what_it_is(browser, live_server, welcome):
    """41. Send test arrives in the mail sink once, marked [Test]."""
    before = set(SandboxMail.objects.values_list("pk", flat=True))
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(page_of(welcome))
        page.wait_for_selector(".ed-is-ready")
        page.get_by_role("button", name="Send test").click()
        dialog = page.get_by_role("dialog", name="Send a test")
        dialog.get_by_role("button", name="Send").dblclick()
        expect(dialog.get_by_text("On its way to maya@example.com")).to_be_visible()
        for lane in ("urgent", "bulk"):
            while notices.deliver_batch(lane):
                pass
        mail = SandboxMail.objects.exclude(pk__in=before).get()
        assert (mail.to_address, mail.subject) == ("maya@example.com", "[Test] Welcome, Ana")
        visitor.go(reverse("admin:delivery_sandboxmail_changelist"))
        expect(page.get_by_text("[Test] Welcome, Ana")).to_have_count(1)
