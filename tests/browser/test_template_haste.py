"""The editor of templates for whoever is quick: what was just typed counts, and gaps are told before a saving."""

from __future__ import annotations

import re

import pytest

from contacts import clock
from contacts.models import Contact
from delivery.models import Template, TemplateVersion
from tests.browser.test_templates import FRAME, block, expect_focus_at, page_of, save
from tests.browser.visit import expect, visiting
from tests.inhabited import Inhabited, inhabit

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def town(transactional_db) -> Inhabited:
    return inhabit(now=clock.now(), contacts=12)


@pytest.fixture
def welcome(town) -> Template:
    return Template.objects.get(versions=save("Welcome, {{first_name}}"))


def test_what_was_typed_a_moment_before_is_part_of_the_code(browser, live_server, welcome):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(page_of(welcome))
        page = visitor.page
        page.wait_for_selector(".ed-is-ready")
        page.frame_locator(FRAME).get_by_role("heading", name="Welcome, Ana").wait_for()
        block(page, "2").click()
        page.evaluate(
            """() => {
              const heading = document.querySelector("[data-place='blocks.2.text']");
              heading.value = "At the last moment";
              heading.dispatchEvent(new Event("input", {bubbles: true}));
              document.querySelector("[data-part=toCode]").click();
              document.querySelector("[data-dialog=code] [value=mjml]").click();
            }"""
        )
        expect(page.locator("#ed-code")).to_have_value(re.compile("At the last moment"))


def test_what_many_contacts_lack_is_told_before_a_version_goes_live(browser, live_server, town, welcome):
    Contact.objects.create(email="nobody.in.particular@example.com")
    with visiting(browser, live_server.url) as visitor:
        visitor.go(page_of(welcome))
        page = visitor.page
        page.wait_for_selector(".ed-is-ready")
        page.get_by_role("tab", name="Checks").click()
        told = page.locator(".cl-problem", has_text="first_name is empty")
        expect(told).to_contain_text(re.compile(r"In 1 of \d+ contacts first_name is empty"))
        expect(told).to_contain_text("{{first_name}}{{^first_name}}there{{/first_name}}")
        page.fill("[data-name]", "Greetings")
        told.click()
        expect_focus_at(page, "subject")
        page.fill("[data-place=subject]", "Welcome, {{first_name}}{{^first_name}}friend{{/first_name}}")
        expect(told).to_have_count(0)
        assert TemplateVersion.objects.filter(template=welcome).count() == 1
