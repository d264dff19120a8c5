"""Test contact and the gallery in Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.urls import reverse

from contacts import clock
from contacts.models import Contact
from delivery.models import Message
from tests.browser.visit import expect, visiting
from tests.inhabited import Inhabited, inhabit
from tests.workflows.journey_tests.playing import database_url
from workflows import gallery, importing, scratch
from workflows.models import Enrolment, Workflow
from workflows.trying import process

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

ANSWERED = process.PATIENCE * 1000  # the first question starts a process, which loads all of the product
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def town(transactional_db, monkeypatch) -> Iterator[Inhabited]:
    monkeypatch.setenv("DATABASE_URL", database_url())  # for the child
    with scratch.open_scratch(now=clock.now()):
        pass  # its tables are made once, which takes some seconds
    yield inhabit(now=clock.now(), contacts=12)
    process.end()


@pytest.fixture
def series(town) -> Workflow:
    document = gallery.document_of("welcome-series")
    importing.import_document(document, by="maya", publish=False, now=clock.now())
    return Workflow.objects.get(slug="welcome-series")


def rows() -> tuple[int, int, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM contact_events")
        return Enrolment.objects.count(), Message.objects.count(), cursor.fetchone()[0]


def builder_of(workflow: Workflow) -> str:
    return reverse("admin:workflows_workflow_change", args=[workflow.pk])


def test_the_path_of_somebody_invented_is_drawn_and_taken_away_again(browser, live_server, series):
    before = rows()
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(builder_of(series))
        page.get_by_role("button", name="Test contact").click()
        page.get_by_label("Somebody invented").check()
        page.locator("#trying-zone").fill("Europe/Madrid")
        page.get_by_label("Enters at").fill("2027-01-11T13:00")
        page.get_by_label("Open each of them").check()
        page.get_by_role("button", name="Test", exact=True).click()
        expect(page.locator("#trying-came h4")).to_have_text("Comes to the end of the journey.", timeout=ANSWERED)
        expect(page.locator(".jb-card.jb-passed")).to_have_count(8)
        expect(page.locator("#card-again")).not_to_have_class("jb-passed")
        expect(page.locator("#card-tour .jb-tried")).to_have_text("Wed 13 Jan, 13:00 Madrid · would be sent")
        expect(page.locator("#card-story .jb-tried")).to_have_text("Sun 17 Jan, 09:00 Madrid · would be sent")
        expect(page.locator("[id='line-opened-yes']")).to_have_class("jb-line jb-passed")
        expect(page.locator("[id='line-opened-else']")).to_have_class("jb-line")
        page.locator("#card-opened .jb-hit").click()  # is read, not changed
        expect(page.locator("[data-stop=opened]")).to_have_class("jt-went jt-here")
        expect(page.locator("#builder-panel")).to_be_hidden()
        page.keyboard.press("Escape")
        expect(page.locator("#builder-trying")).to_be_hidden()
        expect(page.locator(".jb-passed, .jb-tried")).to_have_count(0)
        expect(page.get_by_role("button", name="Test contact")).to_be_focused()
    assert rows() == before


def test_a_contact_is_found_and_chosen_by_keys_and_a_change_takes_the_path_away(browser, live_server, town, series):
    contact = Contact.objects.filter(email__contains="@").order_by("pk").first()
    assert contact is not None
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(builder_of(series))
        page.get_by_role("button", name="Test contact").press("Enter")
        expect(page.locator("#trying-search")).to_be_focused()
        page.keyboard.type(contact.email)
        choice = page.locator(f"#trying-found [value='{contact.pk}']")
        expect(choice).to_be_visible()
        choice.check()
        page.get_by_role("button", name="Test", exact=True).press("Enter")
        expect(page.locator("#trying-came")).to_contain_text("Nothing was sent", timeout=ANSWERED)
        expect(page.locator("#card-hello .jb-tried")).to_be_visible()
        page.get_by_label("Name of the journey").fill("Welcome anew")
        page.get_by_label("Name of the journey").press("Enter")
        expect(page.locator("#trying-wrong")).to_contain_text("was changed since")
        expect(page.locator(".jb-tried")).to_have_count(0)


def test_a_draft_with_errors_says_which_and_leads_there(browser, live_server, series):
    steps = {**series.draft["steps"]}
    steps["tour"] = {**steps["tour"], "config": {"template": "no-such"}}
    Workflow.objects.filter(pk=series.pk).update(draft={**series.draft, "steps": steps})
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(builder_of(series))
        page.get_by_role("button", name="Test contact").click()
        page.locator("[data-solve=tour]").click()
        expect(page.locator("#builder-trying")).to_be_hidden()
        expect(page.locator("#builder-panel form")).to_have_attribute("data-step", "tour")


@pytest.mark.parametrize("dark", [False, True])
def test_on_a_phone_nothing_sticks_out(browser, live_server, series, dark):
    with visiting(browser, live_server.url, width=390, height=844, dark=dark) as visitor:
        page = visitor.page
        visitor.go(builder_of(series))
        page.get_by_role("button", name="Test contact").click()
        expect(page.locator("#builder-trying")).to_be_visible()
        assert page.evaluate(SIDEWAYS) == 0
        visitor.go(reverse("admin:workflows_workflow_add"))
        expect(page.locator(".nj-samples li").first).to_be_visible()
        assert page.evaluate(SIDEWAYS) == 0


def test_a_sample_is_chosen_by_its_kind_looked_at_and_used(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(reverse("admin:workflows_workflow_add"))
        expect(page.locator(".nj-samples li:visible")).to_have_count(len(gallery.samples()))
        page.get_by_role("button", name="Win back", exact=True).click()
        expect(page.locator(".nj-samples li:visible")).to_have_count(1)
        page.get_by_role("button", name="Preview Win back").click()
        expect(page.locator("#sample-preview .jb-card")).to_have_count(8)
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Preview Win back")).to_be_focused()
        page.get_by_role("button", name="Preview Win back").click()
        page.locator("#sample-preview").get_by_role("button", name="Use this journey").click()
        expect(page.locator("#builder-ready")).to_be_visible()
        assert Workflow.objects.get(slug="win-back").status == "draft"
