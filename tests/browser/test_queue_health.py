"""The queue-health page, as an operator watches it."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.request import Request, urlopen

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.urls import reverse

from contacts import access, clock
from contacts.models import ContactTag, PendingEvent
from tests import journeys
from tests.browser.visit import PASSWORD, USERNAME, expect, visiting
from tests.inhabited import inhabit
from workflows.models import DeadLetter, Enrolment
from workflows.steps.add_tag import AddTag

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "admin:analytics_latency_changelist"


def pile_up(number: int) -> None:
    now = clock.now()
    first = PendingEvent.objects.count() + 1_000_000
    PendingEvent.objects.bulk_create(
        PendingEvent(event_id=first + n, recorded_at=now - timedelta(seconds=30), lane="bulk", shard=n % 16)
        for n in range(number)
    )


def test_lanes_move_while_somebody_watches_and_stand_still_when_paused(live_server, browser):
    inhabit(now=clock.now())
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(reverse(PAGE))
        bulk = page.locator('[data-lane="Bulk"]')
        before = int(bulk.get_attribute("data-depth"))
        pile_up(1234)
        expect(bulk).to_have_attribute("data-depth", str(before + 1234))
        expect(page.locator("#health-chart")).to_be_visible()

        page.get_by_text("The numbers").first.press("Enter")
        expect(page.locator("#health-past tbody tr").first).to_contain_text(f"{before + 1234:,}")

        page.locator("#health-pause").press("Enter")
        expect(page.locator("#health-pause")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#health-status")).to_have_text("Paused.")
        pile_up(10)
        page.wait_for_timeout(2500)
        expect(bulk).to_have_attribute("data-depth", str(before + 1234))
        page.locator("#health-pause").press("Enter")
        expect(bulk).to_have_attribute("data-depth", str(before + 1244))


def test_what_was_opened_stays_open_when_the_numbers_change(live_server, browser):
    inhabit(now=clock.now())
    with visiting(browser, live_server.url, width=390, height=844) as visitor:
        page = visitor.page
        visitor.go(reverse(PAGE))
        details = page.locator("#health-event_to_provider details")
        details.locator("summary").press("Enter")
        expect(details).to_have_attribute("open", "")
        pile_up(7)
        expect(page.locator("#health-lanes")).to_contain_text("7")
        expect(details).to_have_attribute("open", "")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def send(base: str, number: int) -> None:
    """So many people sign up, as a website would say it."""
    with transaction.atomic():
        key = access.create_key(name="Website", kind="secret", scopes=["events:write"], now=clock.now())
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    for first in range(0, number, 600):
        batch = [{"type": "signed_up", "contact": {"email": f"c{n}@example.com"}} for n in range(first, first + 600)]
        request = Request(f"{base}/api/v1/events", json.dumps({"events": batch}).encode(), headers)
        with urlopen(request) as answer:
            assert answer.status == 202


@pytest.fixture
def journey(transactional_db, settings) -> None:
    settings.HEARTBEATS = []  # no process of this installation is up, and none is expected
    User.objects.create_superuser(USERNAME, "maya@example.com", PASSWORD)
    journeys.publish(journeys.definition({"one": journeys.step("add_tag", tag="signed-up")}))


def test_the_tile_and_the_menu_tell_while_the_worker_stands_still_and_no_longer(live_server, browser, journey):
    """39. Queue health: stop the worker, send 1,200 events: tile turns bad, badge in the sidebar; start it: clears."""
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        tile = page.locator("#health-tiles .cl-tile", has_text="Waiting now")
        badge = page.get_by_role("link", name="Queue health").locator(".cl-badge")
        visitor.go(reverse(PAGE))
        expect(tile.locator(".cl-pill.cl-good")).to_have_text("None is late")
        expect(badge).to_have_count(0)

        send(live_server.url, 1200)
        PendingEvent.objects.update(recorded_at=clock.now() - timedelta(seconds=30))  # as time would
        expect(tile.locator(".cl-n")).to_have_text("1,200")
        expect(tile.locator(".cl-pill.cl-bad")).to_have_text("1 queue late")
        visitor.go(reverse("admin:contacts_contact_changelist"))
        expect(badge).to_have_text("1 to look at")

        visitor.go(reverse(PAGE))
        journeys.run()
        expect(tile.locator(".cl-n")).to_have_text("0")
        expect(tile.locator(".cl-pill.cl-good")).to_have_text("None is late")
        visitor.go(reverse("admin:contacts_contact_changelist"))
        expect(page.locator("h1").first).to_be_visible()
        expect(badge).to_have_count(0)
    assert not PendingEvent.objects.exists()


def test_a_failed_step_is_tried_again_once_however_often_it_is_asked_for(live_server, browser, journey, monkeypatch):
    """39. Queue health: retry of a failed step works once."""
    with monkeypatch.context() as patch:
        patch.setattr(AddTag, "run", lambda self, cohort, prepared, now: 1 / 0)
        journeys.track(journeys.contact().pk, "signed_up")
        for _ in range(3):
            journeys.run()
            journeys.try_again_now()
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(reverse(PAGE))
        page.get_by_role("heading", name="Failed steps").get_by_role("link").click()
        page.get_by_role("link", name="ada@example.com").click()
        again = page.get_by_role("button", name="Try again")
        expect(again).to_be_visible()
        with page.context.expect_page() as opened:
            page.evaluate("window.open(location.href)")
        other = opened.value  # somebody else who looks at the same page
        other.get_by_role("button", name="Try again").click()
        expect(other.get_by_text("Tried again: 1.")).to_be_visible()
        again.click()
        expect(page.get_by_text("somebody has decided before")).to_be_visible()
        expect(again).to_have_count(0)
    assert DeadLetter.objects.get().state == "retried"
    journeys.run()
    assert Enrolment.objects.get().state == "completed"
    assert ContactTag.objects.count() == 1
