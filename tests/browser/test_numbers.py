"""A journey's numbers and the pressure page in Chromium: they fit, they follow what happens, and a keyboard gets at
what is behind a number."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from analytics.counting import rebuild
from contacts import clock
from tests import journeys
from tests.browser.visit import expect, visiting
from tests.delivery import making
from tests.delivery.test_pressure import Gate
from tests.inhabited import Inhabited, inhabit
from tests.journeys import definition, step
from workflows.models import Workflow

pytestmark = pytest.mark.django_db(transaction=True)

LOOKS = {"light": {}, "dark": {"dark": True}, "telephone": {"width": 390, "height": 844}}
LONG = "A journey with <b>a name</b> that is longer than any column of a table would ever like it to be"


@pytest.fixture
def town(transactional_db) -> Inhabited:
    town, now = inhabit(now=clock.now()), clock.now()
    doors = Gate()
    for n in range(12):
        journeys.publish(definition({"tag": step("add_tag", tag="x")}, slug=f"rival-{n}", name=f"{LONG} {n}"))
        rival = Workflow.objects.get(slug=f"rival-{n}").pk
        for each in range(3):
            who = making.contact(f"rival{n}-{each}@a-rather-long-domain.of-people.example").pk
            doors.ask_alone(who, town.journey.pk if each else rival, now - timedelta(hours=9 - n / 2), topic="news")
            for asked in range(n % 4):
                doors.ask_alone(who, rival, now - timedelta(hours=3 - asked), topic="a-topic-with-a-long-name")
    rebuild.replace()
    return town


def numbers(workflow: Workflow, query: str = "") -> str:
    return reverse("admin:analytics_counter_journey", args=[workflow.pk]) + query


@pytest.mark.parametrize("look", LOOKS)
def test_both_pages_open_without_a_complaint_and_fit_their_window(browser, live_server, town, look):
    pressure = reverse("admin:analytics_counter_pressure")
    pages = [
        numbers(town.journey),
        numbers(town.journey, "?range=7&version=1"),
        numbers(town.broken_draft),
        numbers(Workflow.objects.get(slug="rival-3")),
        pressure,
        f"{pressure}?days=30&what-if=1&displaced={Workflow.objects.get(slug='rival-3').pk}&by={town.journey.pk}#behind",
        f"{pressure}?channel=push",
    ]
    with visiting(browser, live_server.url, **LOOKS[look]) as visitor:
        for path in pages:
            visitor.go(path)
            page = visitor.page
            assert visitor.complaints == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is too wide"
            assert page.evaluate("window.broken") is None, path
            expect(page.locator("h1").first, path).to_be_visible()


def test_the_numbers_follow_what_happens_and_what_was_unfolded_stays_so(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(numbers(town.journey))
        page = visitor.page
        expect(page.locator("#dashboard-status")).to_have_text("Live")
        entered = page.get_by_role("region", name="Entered", exact=True).locator(".nu-number")
        before = int(entered.text_content().strip())
        table = page.locator("#nu-people details")
        table.locator("summary").focus()
        page.keyboard.press("Enter")
        expect(table.locator("tbody tr").first).to_be_visible()
        trigger = town.journey.live_version.definition["entry"]["trigger"]
        journeys.track(making.contact("newcomer@example.com").pk, trigger["event"], properties={"total": 50})
        journeys.run()
        expect(entered).to_have_text(str(before + 1))
        expect(table.locator("tbody tr").first).to_be_visible()
        expect(table.locator("summary")).to_be_focused()


def test_a_number_of_the_matrix_leads_to_the_message_that_held_the_place(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(reverse("admin:analytics_counter_pressure"))
        page = visitor.page
        page.get_by_role("table").locator("a.nu-cell").first.click()
        behind = page.locator("#behind")
        expect(behind).to_be_in_viewport()
        rows = behind.locator("tbody tr")
        expect(rows.first).to_be_visible()
        rows.first.get_by_role("link", name="Why").click()
        expect(page.locator("h1", has_text="Why this journey?")).to_be_visible()


def test_another_cap_is_tried_on_the_spot(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(reverse("admin:analytics_counter_pressure"))
        page = visitor.page
        page.get_by_role("link", name="Try other caps").click()
        expect(page.locator("#what-if tbody tr")).to_have_count(9)
        expect(page.locator("#what-if .nu-is-now")).to_have_count(1)


def test_the_journeys_pages_lead_to_its_numbers(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(reverse("admin:workflows_workflow_change", args=[town.journey.pk]))
        page = visitor.page
        page.get_by_label("More", exact=True).click()
        page.get_by_role("link", name="Numbers").click()
        expect(page).to_have_url(f"{live_server.url}{numbers(town.journey)}")
        expect(page.get_by_role("link", name="Numbers")).to_have_attribute("aria-current", "page")
        page.get_by_role("link", name="90 days").click()
        expect(page.get_by_role("link", name="90 days")).to_have_attribute("aria-current", "true")
