"""The live page of events, as somebody watches it while events come in."""

from __future__ import annotations

import pytest
from django.urls import reverse

from contacts import clock, quarantine
from contacts.faults import Fault
from contacts.models import ContactEvent
from contacts.quarantine import Refused
from tests.browser.visit import visiting
from tests.contacts.conftest import event, record
from tests.inhabited import inhabit

pytestmark = pytest.mark.django_db(transaction=True)


def came(*types: str) -> None:
    now = clock.now()
    record(*[event("ada", name, key=f"{name} {now}") for name in types], now=now)


def test_events_appear_as_they_come_in_and_pause_holds_them_back(live_server, browser):
    inhabit(now=clock.now())
    with visiting(browser, live_server.url, policy=True) as visitor:
        page = visitor.page
        visitor.go(reverse("admin:contacts_contactevent_live"))
        first = page.locator("#live tbody tr").first
        came("just_happened")
        page.wait_for_function("document.querySelector('#live tbody tr').textContent.includes('just_happened')")
        assert "cl-fresh" in first.get_attribute("class")
        rows = page.locator("#live tbody tr").count()

        page.locator("#live-pause").press("Enter")
        assert page.locator("#live-pause").get_attribute("aria-pressed") == "true"
        came("while_paused")
        page.wait_for_timeout(2500)
        assert page.locator("#live tbody tr").count() == rows

        page.locator("#live-pause").press("Enter")
        page.wait_for_function("document.querySelector('#live tbody tr').textContent.includes('while_paused')")
        assert page.locator("#live tbody tr").count() == rows + 1
        assert "2 new" in page.locator("#live-status").text_content()

        page.fill("[name=type]", "while_paused")
        page.locator("[name=type]").press("Enter")
        page.wait_for_function("document.querySelectorAll('#live tbody tr').length === 1")
        came("something_else", "while_paused")
        page.wait_for_function("document.querySelectorAll('#live tbody tr').length === 2")


def test_an_event_in_quarantine_is_tried_again_with_the_keyboard(live_server, browser):
    inhabit(now=clock.now())
    raw = '{"type": "was_refused", "user_id": "ada"}'
    quarantine.keep([Refused("api", "website", raw, [Fault("residency", "is not stored here")])], now=clock.now())
    with visiting(browser, live_server.url, policy=True, width=390, height=844) as visitor:
        visitor.go(reverse("admin:contacts_quarantinedevent_changelist"))
        visitor.page.locator("#result_list th a").first.click()
        visitor.page.get_by_role("button", name="Try again").press("Enter")
        visitor.page.wait_for_selector("text=Taken since")
    assert ContactEvent.objects.filter(type="was_refused").exists()
