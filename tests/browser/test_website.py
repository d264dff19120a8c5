"""The page "Website tracking" in Chromium: the lines are copied into a page, and the light turns green."""

from __future__ import annotations

import pytest
from django.urls import reverse

from contacts.collect import identity_secrets
from contacts.models import ApiKey
from tests.browser.test_snippet import Shop
from tests.browser.visit import expect, visiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(90)]


def test_what_is_copied_from_the_page_works_and_the_light_says_so(browser, live_server, django_user_model, settings):
    settings.PUBLIC_URL = live_server.url
    django_user_model.objects.create_superuser("maya", "maya@example.com", "correct horse")
    with Shop().open() as shop, visiting(browser, live_server.url) as visitor:
        visitor.go(reverse("admin:contacts_website"))
        page = visitor.page
        page.get_by_label("Name").fill("The shop")
        page.get_by_label("Origins").fill(shop.url)
        page.get_by_role("button", name="Make its key").press("Enter")
        page.get_by_text("Waiting for the first event").wait_for()
        page.get_by_role("button", name="Copy", exact=True).press("Enter")
        page.get_by_role("button", name="Copied").wait_for()
        shop.head = page.evaluate("navigator.clipboard.readText()")
        assert ApiKey.objects.get().public_key in shop.head

        customer = browser.new_context().new_page()
        customer.goto(f"{shop.url}/welcome")
        page.get_by_text("We see your events").wait_for(timeout=5000)
        expect(page.locator("#light-detail")).to_contain_text("page_viewed")
        expect(page.locator("#light")).to_have_attribute("data-state", "seen")
        customer.context.close()


def kept() -> str:
    return identity_secrets.opened(ApiKey.objects.get().identity_secret)


def test_the_secret_is_renewed_only_after_a_question(browser, live_server, django_user_model):
    django_user_model.objects.create_superuser("maya", "maya@example.com", "correct horse")
    with visiting(browser, live_server.url) as visitor:
        visitor.go(reverse("admin:contacts_website"))
        page = visitor.page
        page.get_by_label("Name").fill("The shop")
        page.get_by_role("button", name="Make its key").click()
        page.get_by_role("button", name="Make the identity secret").click()
        first = page.locator("#identity-secret").text_content()
        visitor.go(reverse("admin:contacts_website"))
        page.get_by_role("button", name="Make a new identity secret").click()
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Make a new one")).to_be_hidden()
        assert kept() == first
        page.get_by_role("button", name="Make a new identity secret").click()
        page.get_by_role("button", name="Make a new one").click()
        page.locator("#identity-secret").wait_for()
        assert kept() == page.locator("#identity-secret").text_content() != first
