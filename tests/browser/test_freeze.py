"""The button that stops everything, as somebody in a hurry uses it: by keyboard, in either theme."""

from __future__ import annotations

import pytest
from django.urls import reverse

from contacts import clock, freezing
from tests.browser import auditing
from tests.browser.visit import becomes, expect, visiting
from tests.delivery import making
from tests.inhabited import inhabit

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "admin:contacts_freeze_changelist"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everything_is_frozen_looked_at_and_released_by_keyboard(browser, live_server, theme):
    inhabit(now=clock.now())
    making.message()
    faults: list[str] = []
    with visiting(browser, live_server.url, dark=theme == "dark") as visitor:
        page = visitor.page
        visitor.go(reverse(PAGE))
        page.get_by_role("button", name="Freeze everything").press("Enter")
        expect(page.locator("#reason")).to_be_focused()
        page.keyboard.type("the wrong template went out")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Everything is frozen")).to_be_visible()
        expect(page.get_by_role("alert").first).to_contain_text("the wrong template went out")
        expect(page.get_by_text("Messages to be sent").first).to_be_visible()
        becomes(freezing.is_frozen, True, page)
        faults += auditing.audit(page, "frozen") if auditing.is_installed() else []
        faults += auditing.too_wide(page, "frozen")
        visitor.go(reverse("admin:index"))
        page.get_by_role("link", name="What waits").press("Enter")
        page.get_by_role("button", name="Release", exact=True).first.press("Enter")
        expect(page.get_by_role("button", name="Not now")).to_be_focused()
        faults += auditing.audit(page, "release") if auditing.is_installed() else []
        page.get_by_label("Send all").press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Everything goes on")).to_be_visible()
        becomes(freezing.is_frozen, False, page)
    assert faults == [], "\n".join(faults)
