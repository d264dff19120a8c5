"""The live page of events, as somebody watches it while events come in."""

from __future__ import annotations

import pytest
from django.urls import reverse

from contacts import clock, quarantine
from contacts.faults import Fault
from contacts.models import ContactEvent
from contacts.quarantine import Refused
from tests.browser.visit import expect, visiting
from tests.contacts.conftest import event, record
from tests.inhabited import inhabit

pytestmark = pytest.mark.django_db(transaction=True)


def came(*types: str) -> None:
    now = clock.now()
    record(*[event("ada", name, key=f"{name} {now}") for name in types], now=now)


def test_events_appear_as_they_come_in_and_pause_holds_them_back(live_server, browser):
    inhabit(now=clock.now())
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(reverse("admin:contacts_contactevent_live"))
        entries = page.locator("#live tbody tr")
        came("just_happened")
        # Fresh is a row until the next look, so both are asked at once.
        page.wait_for_function("document.querySelector('#live tr.cl-fresh')?.textContent.includes('just_happened')")
        expect(entries.first).to_contain_text("just_happened")
        rows = entries.count()

        page.locator("#live-pause").press("Enter")
        expect(page.locator("#live-pause")).to_have_attribute("aria-pressed", "true")
        came("while_paused")
        page.wait_for_timeout(2500)
        expect(entries).to_have_count(rows)

        page.locator("#live-pause").press("Enter")
        page.wait_for_function("document.querySelector('#live tbody tr').textContent.includes('while_paused')")
        expect(entries).to_have_count(rows + 1)
        expect(page.locator("#live-status")).to_contain_text("2 new")

        page.fill("[name=type]", "while_paused")
        page.locator("[name=type]").press("Enter")
        page.wait_for_function("document.querySelectorAll('#live tbody tr').length === 1")
        came("something_else", "while_paused")
        page.wait_for_function("document.querySelectorAll('#live tbody tr').length === 2")


def test_an_event_in_quarantine_is_tried_again_with_the_keyboard(live_server, browser):
    inhabit(now=clock.now())
    raw = '{"type": "was_refused", "user_id": "ada"}'
    quarantine.keep([Refused("api", "website", raw, [Fault("residency", "is not stored here")])], now=clock.now())
    with visiting(browser, live_server.url, width=390, height=844) as visitor:
        visitor.go(reverse("admin:contacts_quarantinedevent_changelist"))
        visitor.page.locator("#result_list th a").first.click()
        visitor.page.get_by_role("button", name="Try again").press("Enter")
        visitor.page.wait_for_selector("text=Taken since")
    assert ContactEvent.objects.filter(type="was_refused").exists()
