"""Somebody writes tests for a journey, runs them, and sees what did not hold."""

from __future__ import annotations

import json
import os

import pytest
from django.contrib.auth.models import User

from contacts import clock
from tests import journeys
from tests.browser.visit import PASSWORD, USERNAME, expect, visiting
from tests.workflows.journey_tests.playing import ADA, WORKFLOW, at, case, database_url, signed_up
from workflows import publishing
from workflows.models import JourneyTests

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]  # a process of its own begins
FOLDER = os.environ.get("SCREENSHOTS")  # where to leave pictures
BELOW_THE_TEXTAREA = """(() => {
  const bottom = (what) => document.querySelector(what).getBoundingClientRect().bottom;
  return bottom(".cl-editor") - bottom(".cl-editor textarea");
})()"""
SENT = {"contact": "ada", "template": "hello", "times": 1}


def picture(page, name: str, dark: bool, width: int) -> None:
    if FOLDER:
        page.screenshot(path=f"{FOLDER}/{name}_{'dark' if dark else 'light'}_{width}.png", full_page=True)


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 1280), (False, 390), (True, 390)])
def test_tests_are_written_run_and_kept(browser, live_server, monkeypatch, dark, width):
    monkeypatch.setenv("DATABASE_URL", database_url())  # of the child that runs them
    User.objects.create_superuser(USERNAME, "maya@example.com", PASSWORD)
    journeys.template("hello")
    journey = publishing.save_draft(definition=WORKFLOW, now=clock.now())
    good = case(
        signed_up(), at("09:00", sent=SENT), at("11:00", tag={"contact": "ada", "tag": "welcomed"}), name="good"
    )
    bad = case(signed_up(), at("10:00", tag={"contact": "ada", "tag": "welcomed"}), name="an hour too early")
    tests = {"contacts": [ADA], "cases": [good, bad]}
    with visiting(browser, live_server.url, dark=dark, width=width) as visitor:
        page = visitor.page
        visitor.go(f"/admin/workflows/workflow/{journey.pk}/")
        page.get_by_label("More", exact=True).click()
        page.get_by_role("link", name="Tests", exact=True).click()
        page.wait_for_url("**/tests/")
        picture(page, "tests_begin", dark, width)
        page.get_by_label("Tests", exact=True).fill(json.dumps(tests, indent=2))
        expect(page.locator(".cl-gutter span")).to_have_count(json.dumps(tests, indent=2).count("\n") + 1)
        assert page.evaluate(BELOW_THE_TEXTAREA) < 4  # every line that is shown can be written in
        page.get_by_role("button", name="Run tests").focus()
        page.keyboard.press("Enter")
        page.get_by_text("1 of 2 cases passed.").wait_for(timeout=90_000)
        expect(page.locator("[data-cases] > li")).to_have_count(2)
        told = page.locator("[data-cases] > li").nth(1)
        expect(told).to_contain_text("Failed an hour too early", use_inner_text=True)
        expect(told).to_contain_text("tags: none", use_inner_text=True)
        expect(told).to_contain_text("entered welcome version 1", use_inner_text=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        picture(page, "tests_run", dark, width)
        page.get_by_role("button", name="Save tests").click()
        page.get_by_text("The tests are saved.").wait_for()
        page.get_by_label("Tests", exact=True).fill("{")
        page.get_by_role("button", name="Run tests").click()
        page.get_by_text("neither JSON nor YAML", exact=False).wait_for()
    assert JourneyTests.objects.get().document == tests
