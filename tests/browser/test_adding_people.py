"""Adding people to a journey in a browser: one way at a time, counted before it is confirmed, watched to the end."""

from __future__ import annotations

import pytest
from django.urls import reverse

from contacts import clock
from contacts.models import Contact
from tests import journeys
from tests.browser.test_segments import CONTRASTS
from tests.browser.visit import becomes, expect, visiting
from tests.inhabited import Inhabited, inhabit
from tests.journeys import definition, step
from workflows.entry import entry_runs
from workflows.models import Enrolment, EntryRun, Workflow

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def town(transactional_db) -> Inhabited:
    return inhabit(now=clock.now(), contacts=12)


@pytest.fixture
def journey(town) -> Workflow:
    journeys.publish(
        definition({"tag": step("add_tag", tag="t")}, slug="by-hand", entry={"trigger": {"type": "manual"}})
    )
    return Workflow.objects.get(slug="by-hand")


def test_people_are_counted_confirmed_and_watched_until_the_last_has_entered(browser, live_server, journey):
    everybody = Contact.objects.filter(merged_into=None, erased_at=None).count()
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(reverse("admin:workflows_workflow_change", args=[journey.pk]))
        page.get_by_label("More", exact=True).click()
        page.get_by_role("link", name="Add people").click()
        page.locator("#segment").wait_for()
        page.locator("#names").wait_for(state="hidden")
        page.get_by_label("A segment").focus()
        page.keyboard.press("ArrowDown")  # a condition: everybody, as it stands there
        page.locator(".cq-editor, [data-condition-editor]").first.wait_for()
        page.locator("#segment").wait_for(state="hidden")
        page.get_by_role("button", name="Count them").click()
        bring = page.get_by_role("button", name=f"Bring in {everybody}")
        bring.wait_for()
        assert not EntryRun.objects.exists()
        bring.click()
        page.locator("[data-run]").wait_for()
        entry_runs.enter_slice(slice_=3)
        page.wait_for_function("document.querySelector('[data-figure=entered]').textContent === '3'")
        becomes(lambda: 0 < page.evaluate("document.querySelector('[data-bar]').value") < 100, True, page)
        while entry_runs.enter_slice():
            pass
        page.locator(".cl-pill", has_text="Done").wait_for()
        assert Enrolment.objects.filter(workflow=journey).count() + EntryRun.objects.get().refused == everybody


def test_another_choice_takes_the_count_back(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(reverse("admin:workflows_workflow_add_people", args=[journey.pk]))
        page.get_by_label("Names").check()
        page.fill("#names", "nobody@example.com")
        page.get_by_role("button", name="Count them").press("Enter")
        page.get_by_text("1 would not enter: no contact is called so").wait_for()
        expect(page.get_by_role("button", name="Bring in")).to_have_count(0)
        page.fill("#names", f"{Contact.objects.exclude(email='').first().email}")
        expect(page.locator(".en-tried")).to_have_count(0)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_can_be_read_in_both_themes_and_on_a_phone(browser, live_server, journey, dark, width):
    with visiting(browser, live_server.url, dark=dark, width=width) as visitor:
        page = visitor.page
        visitor.go(reverse("admin:workflows_workflow_add_people", args=[journey.pk]))
        page.get_by_label("A condition").check()
        page.get_by_role("button", name="Count them").click()
        page.get_by_role("button", name="Bring in").click()
        page.locator("[data-run]").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        assert (
            page.evaluate(f"Math.min(...({CONTRASTS})(document.querySelector('[data-runs]')).map(([c]) => c))") >= 4.5
        )
