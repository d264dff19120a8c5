"""Lifecycle as somebody works with it who also reads the console: a move by hand, a rule, the funnel, the names."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from contacts import clock
from scoring.lifecycle import progression_rules, stages
from tests.browser.visit import becomes, expect, visiting
from tests.inhabited import Inhabited, inhabit

pytestmark = pytest.mark.django_db(transaction=True)

MOVES = "/admin/scoring/lifecycleevent/"
PAGES = (
    MOVES,
    f"{MOVES}funnel/",
    f"{MOVES}stage/mql/",
    "/admin/scoring/progressionrule/",
    "/admin/scoring/progressionrule/new/event/",
    "/admin/scoring/progressionrule/rule/score-reaches-mql/",
    "/admin/scoring/stagelabel/",
)


@pytest.fixture
def town(transactional_db) -> Inhabited:
    return inhabit(now=clock.now(), contacts=12)


def test_somebody_is_moved_by_hand_and_found_in_the_funnel(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(reverse("admin:contacts_contact_change", args=[town.ana.pk]))
        page.locator("[popovertarget]", has_text=re.compile("Actions|More|Do")).first.click()
        page.get_by_role("link", name="Change stage").click()
        page.get_by_label("New stage").select_option("opportunity")
        page.get_by_label("Reason").fill("Met her at the fair")
        page.get_by_role("button", name="Change stage").click()
        expect(page.get_by_text("The stage is Opportunity now.")).to_be_visible()
        visitor.go(f"{MOVES}funnel/")
        page.get_by_role("link", name="Opportunity").click()
        expect(page.get_by_role("link", name=town.ana.email)).to_be_visible()
        expect(page.get_by_text("Met her at the fair")).to_be_visible()


def test_a_rule_for_an_event_is_written_with_the_condition_editor_and_put_first(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go("/admin/scoring/progressionrule/")
        page.get_by_role("link", name="Rule for an event").click()
        page.get_by_label("Name", exact=True).fill("Deal lost")
        page.get_by_label("When this event is recorded").fill("deal_lost")
        page.click("[data-part=tab-json]")
        page.fill("textarea[name=where]", '{"field": "event.stage", "op": "eq", "value": "late"}')
        page.get_by_label("Opportunity").check()
        page.get_by_label("Moves to").select_option("sql")
        page.get_by_role("button", name="Make the rule").click()
        expect(page.get_by_text("“Deal lost” is in force from now on.")).to_be_visible()
        expect(page.get_by_text("Nobody is left where the rule would take them from.")).to_be_visible()
        page.get_by_role("link", name="What moves people").first.click()
        page.get_by_role("button", name="Let “Deal lost” stand higher").click()
        expect(page.locator(".lf-rules > li").first).to_contain_text("Deal lost")
        page.get_by_role("button", name="Switch off “Deal lost”").click()
        becomes(lambda: progression_rules.find("deal-lost").is_active, False, page)


def test_a_stage_is_called_as_the_company_calls_it(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go("/admin/scoring/stagelabel/")
        page.get_by_label("mql").fill("Hot lead")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        becomes(lambda: stages.label("mql"), "Hot lead", page)
        visitor.go(f"{MOVES}funnel/")
        expect(page.get_by_role("link", name="Hot lead")).to_be_visible()


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 390)])
def test_every_page_fits_its_window_and_complains_of_nothing(browser, live_server, town, dark, width):
    with visiting(browser, live_server.url, dark=dark, width=width) as visitor:
        for path in (*PAGES, reverse("admin:scoring_lifecycleevent_move", args=[town.ana.pk])):
            visitor.go(path)
            expect(visitor.page.locator("main, .cl-page, #changelist").first).to_be_visible()
            becomes(lambda: visitor.page.evaluate("document.documentElement.scrollWidth") <= width, True, visitor.page)
