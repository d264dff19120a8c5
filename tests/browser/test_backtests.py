"""Somebody tries a draft on history: asks, watches, reads, compares, activates."""

from __future__ import annotations

import os
import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from contacts import clock, transactions
from contacts.models import Contact
from scoring.backtests import running
from scoring.models import Backtest, Ruleset
from scoring.rulesets import versions
from tests.browser.visit import PASSWORD, USERNAME, expect, visiting
from tests.scoring.conftest import rule, write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db(transaction=True)

FOLDER = os.environ.get("SCREENSHOTS")  # where to leave pictures of every step
PEOPLE = 60


@pytest.fixture
def maya(transactional_db) -> User:
    return User.objects.create_superuser(USERNAME, "maya@example.com", PASSWORD)


@pytest.fixture
def draft(transactional_db) -> int:
    """A draft beside an active version, and people of whom a third asked and then mostly bought."""
    now = clock.now()
    fading = {"type": "half_life", "period": "P30D"}
    with transaction.atomic():
        versions.activate(rules=[rule("visited", 15, decay=fading)], now=now, mql_threshold=40)
    rules = [rule("visited", 8, decay=fading), rule("asked", 30, decay=fading), rule("complained", -20, decay=fading)]
    draft = versions.write_draft({"rules": rules, "mql_threshold": 35}, now=now)
    for place in range(PEOPLE):
        contact_id = Contact.objects.create(email=f"person{place}@example.com").pk
        days = 5 + place
        history = [Happened("visited", now - timedelta(days=days - n)) for n in range(place % 5)]
        if place % 3 == 0:
            history.append(Happened("asked", now - timedelta(days=days - 3)))
        if place % 3 == 0 and place % 4:
            history.append(Happened("bought", now - timedelta(days=max(1, days - 4 - place % 20))))
        if place % 11 == 0:
            history.append(Happened("bought", now - timedelta(days=2)))
        write_history(contact_id, [*history, Happened("complained", now - timedelta(days=80 - place))])
    return draft


def picture(page, name: str, dark: bool, width: int) -> None:
    if FOLDER:
        page.screenshot(path=f"{FOLDER}/{name}_{'dark' if dark else 'light'}_{width}.png", full_page=True)


def bulk_lane(batches: int = 1000, limit: int = 20) -> None:
    """What the worker of the lane does once it is rung for."""

    def work() -> None:
        for _ in range(batches):
            if not transactions.run(lambda now: running.work_batch(now=now, limit=limit)):
                break
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def fits(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 390), (True, 1280), (False, 390)])
def test_a_draft_is_tried_read_and_made_active(browser, live_server, maya, draft, dark, width):
    with visiting(browser, live_server.url, dark=dark, width=width) as visitor:
        page = visitor.page
        visitor.go("/admin/scoring/backtest/")
        expect(page.get_by_text("Nothing tried yet")).to_be_visible()
        visitor.go(f"/admin/scoring/backtest/add/?ruleset={draft}")
        expect(page.get_by_label("Version")).to_have_value(str(draft))
        expect(page.get_by_label("From", exact=True)).to_be_hidden()
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_text("Choose an event.")).to_be_visible()
        page.get_by_text("that a stage is reached").click()
        expect(page.get_by_label("Stage", exact=True)).to_be_visible()
        expect(page.get_by_label("Event", exact=True)).to_be_hidden()
        page.get_by_text("that something happens").click()
        page.get_by_label("Event", exact=True).fill("bought")
        picture(page, "backtest_new", dark, width)
        assert fits(page)
        visitor.complaints.clear()  # the refusal is a 422, which the console tells
        page.get_by_role("button", name="Start").click()
        page.wait_for_url("**/change/")
        expect(page.get_by_text("Waiting for its turn")).to_be_visible()
        bulk_lane(batches=2)
        expect(page.get_by_text("40 of 60 contacts")).to_be_visible()
        picture(page, "backtest_running", dark, width)
        bulk_lane()
        expect(page.get_by_role("heading", name="At other thresholds")).to_be_visible()  # it saw by itself
        expect(page.get_by_role("region", name="Precision")).to_contain_text("converted afterwards")
        expect(page.get_by_role("heading", name="Before you trust it")).to_be_visible()
        page.get_by_text("The numbers").click()
        expect(page.get_by_role("group", name="Figures by threshold")).to_contain_text("tried")
        assert fits(page)
        picture(page, "backtest_report", dark, width)
        page.get_by_role("link", name="Converted without").click()
        page.wait_for_url("**who=missed**")
        visitor.go(f"/admin/scoring/backtest/{Backtest.objects.get().pk}/change/")
        page.get_by_role("button", name="Activate this version").click()
        picture(page, "backtest_activate", dark, width)
        page.get_by_text("just stand there now").click()
        page.get_by_role("button", name="Activate", exact=True).click()
        page.wait_for_url("**/ruleset/**")
        expect(page.get_by_text("every score follows it from now on")).to_be_visible()
        visitor.go("/admin/scoring/backtest/")
        picture(page, "backtest_list", dark, width)
    row = Ruleset.objects.get(pk=draft)
    assert (row.state, row.on_activation) == ("active", "rebase")


def test_two_drafts_are_compared_and_a_changed_one_is_not_activated_unseen(browser, live_server, maya, draft):
    with visiting(browser, live_server.url, width=1280) as visitor:
        page = visitor.page
        for pk in (draft, versions.write_draft({"rules": [rule("asked", 50)]}, now=clock.now())):
            visitor.go(f"/admin/scoring/backtest/add/?ruleset={pk}")
            page.get_by_label("Event", exact=True).fill("bought")
            page.get_by_role("button", name="Start").click()
            page.wait_for_url("**/change/")
            bulk_lane()
        expect(page.get_by_role("heading", name="Beside another back-test")).to_be_visible()
        page.get_by_role("button", name="Compare").click()
        page.wait_for_url("**/compare/**")
        expect(page.get_by_role("group", name="Both back-tests")).to_contain_text("Precision")
        picture(page, "backtest_compare", False, 1280)
        versions.change_draft(draft, {"rules": [rule("asked", 1)]})
        visitor.go(f"/admin/scoring/backtest/{Backtest.objects.order_by('pk')[0].pk}/change/")
        expect(page.get_by_text("The draft was changed since")).to_be_visible()
        expect(page.get_by_role("button", name="Activate this version")).to_have_count(0)


def test_one_that_is_running_is_cancelled(browser, live_server, maya, draft):
    with visiting(browser, live_server.url, width=1280) as visitor:
        page = visitor.page
        visitor.go(f"/admin/scoring/backtest/add/?ruleset={draft}")
        page.get_by_label("Event", exact=True).fill("bought")
        page.get_by_role("button", name="Start").click()
        page.wait_for_url("**/change/")
        bulk_lane(batches=1)
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_text("Cancelled", exact=True)).to_be_visible()
    assert Backtest.objects.get().state == "cancelled"
