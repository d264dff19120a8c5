"""The pages of setting up in Chromium: a key made, copied and revoked; addresses to paste; settings; quiet queues."""

from __future__ import annotations

import pytest
from django.urls import reverse

from contacts import access, clock
from contacts.models import ApiKey
from tests.browser.visit import expect, visiting
from tests.inhabited import Inhabited, inhabit

pytestmark = pytest.mark.django_db(transaction=True)
LOOKS = {"light": {}, "dark and narrow": {"dark": True, "width": 390, "height": 844}}


@pytest.fixture
def town(transactional_db) -> Inhabited:
    return inhabit(now=clock.now(), contacts=12)


def is_as_wide_as_the_window(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("look", LOOKS)
def test_the_pages_of_setting_up_are_whole(browser, live_server, town, look):
    with visiting(browser, live_server.url, **LOOKS[look]) as maya:
        page = maya.page
        maya.go(reverse("admin:delivery_webhookdelivery_changelist"))
        copied = page.locator("#way-sandbox [data-copy]")
        copied.click()
        expect(copied).to_contain_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()").endswith("/webhooks/sandbox/")
        vendor = page.locator("details", has_text="Postmark")
        expect(vendor.locator(".wh-address")).to_be_hidden()
        vendor.locator("summary").click()
        expect(vendor.locator(".wh-address")).to_be_visible()
        assert is_as_wide_as_the_window(page)
        maya.go(reverse("settings-page"))
        page.get_by_role("link", name="How long things are kept").click()
        expect(page.locator("#retention")).to_be_in_viewport()
        expect(page.locator("#setting-SECRET_KEY")).to_contain_text("Set")
        assert is_as_wide_as_the_window(page)
        maya.go(reverse("admin:index"))
        quiet = page.locator("#start-quiet")
        expect(quiet).to_be_hidden()
        page.locator("#start-quiet-title").click()
        expect(quiet).to_be_visible()
        # what the page fetches of itself does not fold it again
        with page.expect_response(lambda response: "live=1" in response.url):
            pass
        expect(quiet).to_be_visible()
        assert is_as_wide_as_the_window(page)


def test_a_key_is_made_copied_and_revoked_after_a_question(browser, live_server, town):
    with visiting(browser, live_server.url) as maya:
        page = maya.page
        maya.go(reverse("admin:contacts_apikey_add"))
        scopes, limits = page.get_by_role("group", name="What it may do"), page.locator(".cl-of-browser")
        expect(scopes).to_be_visible()
        expect(limits).to_be_hidden()
        page.get_by_label("Write key for web pages").check()
        expect(limits).to_be_visible()
        expect(scopes).to_be_hidden()
        page.get_by_label("Secret key, for servers").check()
        page.get_by_label("Name").fill("Warehouse of the agency")
        page.get_by_label("Read contacts").check()
        page.get_by_label("How long it works").select_option("90")
        page.get_by_role("button", name="Make the key").click()
        copy = page.locator("[data-copy=new-key]")
        copy.click()
        expect(copy).to_contain_text("Copied")
        key = page.evaluate("navigator.clipboard.readText()")
        assert access.find_key(key).scopes == {"contacts:read"}
        page.get_by_role("link", name="I have copied it").click()
        expect(page.locator("#result_list")).to_contain_text("Warehouse of the agency")
        assert key not in page.content()
        page.get_by_role("link", name="Warehouse of the agency").click()
        page.get_by_role("button", name="Revoke this key").click()
        question = page.get_by_role("dialog")
        expect(question).to_contain_text("cannot be brought back")
        question.get_by_role("button", name="Keep it").click()
        expect(question).to_be_hidden()
        assert access.find_key(key) is not None
        page.get_by_role("button", name="Revoke this key").click()
        question.get_by_role("button", name="Revoke").click()
        expect(page.locator(".cl-facts")).to_contain_text("Revoked")
        assert access.find_key(key) is None
        assert ApiKey.objects.filter(name="Warehouse of the agency", revoked_at__isnull=False).exists()
