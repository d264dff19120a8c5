"""What people do on the pages of the admin: write a draft, publish it, read a long history, preview a template."""

from __future__ import annotations

import json
import re

import pytest
from django.urls import reverse

from contacts import clock
from contacts.models import ApiKey
from delivery.models import Suppression
from tests.browser.visit import becomes, expect, visiting
from tests.inhabited import Inhabited, inhabit
from workflows.models import Workflow

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def town(transactional_db) -> Inhabited:
    return inhabit(now=clock.now(), contacts=12)


def journey_page(workflow: Workflow) -> str:
    return f"{reverse('admin:workflows_workflow_text', args=[workflow.pk])}?as=json"


def selected(page) -> str:
    return page.eval_on_selector("#draft", "(area) => area.value.slice(area.selectionStart, area.selectionEnd)")


def test_a_problem_leads_to_its_place_in_the_editor(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(journey_page(town.broken_draft))
        page = visitor.page
        page.locator(".cl-problem", has_text="no-such-template").click()
        becomes(lambda: selected(page), '"template": "no-such-template"', page)
        expect(page.locator("#draft")).to_be_focused()
        expect(page.locator(".cl-gutter .cl-marked.cl-bad").nth(2)).to_be_attached()  # there are three at least
        expect(page.locator(".cl-gutter .cl-marked.cl-warn")).to_have_count(1)


def test_problems_follow_the_text_while_it_is_written(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(journey_page(town.broken_draft))
        page = visitor.page
        page.locator(".cl-problem", has_text="no-such-template").click()
        page.keyboard.type('"template": "thank-you"')
        page.locator(".cl-problem", has_text="no-such-template").wait_for(state="detached")
        page.evaluate("document.getElementById('draft').setSelectionRange(1, 1)")
        page.keyboard.type(",")
        page.locator(".cl-problem", has_text="Line 1").click()
        becomes(lambda: page.eval_on_selector("#draft", "(area) => area.selectionStart"), 1, page)
        expect(page.locator(".cl-problem")).to_have_count(1)
        page.keyboard.press("Delete")
        page.locator(".cl-problem", has_text="there is no step 'gone'").wait_for()
        stored = Workflow.objects.get(pk=town.broken_draft.pk)
        assert stored.draft == town.broken_draft.draft


def test_format_spells_like_the_server_and_can_be_undone(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(journey_page(town.journey))
        page = visitor.page
        as_served = page.input_value("#draft")
        page.evaluate("document.getElementById('draft').select()")
        page.keyboard.insert_text(json.dumps(json.loads(as_served)))
        expect(page.locator("#draft")).not_to_have_value(as_served)
        page.get_by_role("button", name="Format").click()
        expect(page.locator("#draft")).to_have_value(as_served)
        page.keyboard.press("Control+z")
        expect(page.locator("#draft")).not_to_have_value(as_served)


def test_tab_indents_and_escape_lets_it_leave(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(journey_page(town.journey))
        page = visitor.page
        page.evaluate("(() => { const t = document.getElementById('draft'); t.focus(); t.setSelectionRange(0, 0); })()")
        page.keyboard.press("Tab")
        expect(page.locator("#draft")).to_have_value(re.compile("^  {"))
        page.keyboard.press("Shift+Tab")
        expect(page.locator("#draft")).to_have_value(re.compile("^{"))
        page.keyboard.press("Escape")
        page.keyboard.press("Tab")
        expect(page.locator("#draft")).not_to_be_focused()


def test_a_draft_is_saved_by_key_published_paused_and_resumed(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(journey_page(town.journey))
        page = visitor.page
        page.evaluate(
            "(() => { const t = document.getElementById('draft'); t.focus(); const at = t.value.indexOf('First order');"
            " t.setSelectionRange(at, at + 'First order'.length); })()"
        )
        page.keyboard.type("First purchase")
        page.keyboard.press("Control+s")
        page.get_by_text("The draft is saved.").wait_for()
        page.get_by_role("button", name="Publish v2").click()
        page.get_by_text("Version 2 is published.").wait_for()
        page.get_by_role("button", name="Pause").click()
        page.locator("#pause").get_by_role("button", name="Pause").click()
        page.get_by_text("Paused v2").wait_for()
        page.get_by_label("More", exact=True).click()
        page.get_by_role("button", name="Resume").click()
        page.locator("#resume").get_by_role("button", name="Resume").click()
        page.get_by_text("Live v2").wait_for()
        stored = Workflow.objects.get(pk=town.journey.pk)
        assert (stored.name, stored.status) == ("First purchase", "live")


def test_a_question_closes_with_escape_and_does_nothing(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(journey_page(town.journey))
        page = visitor.page
        page.get_by_role("button", name="Archive").click()
        expect(page.locator("#archive")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#archive")).to_be_hidden()
        assert Workflow.objects.get(pk=town.journey.pk).status == "live"


def test_a_long_history_goes_on_page_by_page_without_a_repetition(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(reverse("admin:contacts_contact_change", args=[town.ana.pk]) + "?only=events")
        page = visitor.page
        entries = page.locator(".cl-timeline > li:not(.cl-more)")
        first = entries.count()
        page.get_by_role("link", name="Show older").click()
        page.wait_for_function(f"document.querySelectorAll('.cl-timeline > li:not(.cl-more)').length > {first}")
        links = page.evaluate("[...document.querySelectorAll('.cl-timeline a:has(b)')].map((a) => a.pathname)")
        assert len(links) == len(set(links)) == entries.count()
        expect(page.get_by_role("link", name="Show older")).to_have_count(0)


def test_a_new_key_is_shown_once_and_can_be_copied(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(reverse("admin:contacts_apikey_add"))
        page = visitor.page
        page.fill("#id_name", "Warehouse")
        page.get_by_label("events:write").check()
        page.get_by_role("button", name="Make the key").click()
        key = page.locator("#new-key").text_content()
        page.get_by_role("button", name="Copy").click()
        page.get_by_role("button", name="Copied").wait_for()
        becomes(lambda: page.evaluate("navigator.clipboard.readText()"), key, page)
        stored = ApiKey.objects.get(name="Warehouse")
        visitor.go(reverse("admin:contacts_apikey_change", args=[stored.pk]))
        assert key not in page.content()


def test_an_address_is_suppressed_and_released(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(reverse("admin:delivery_suppression_add"))
        page = visitor.page
        page.fill("#id_address", "no.more@example.com")
        page.get_by_role("button", name="Suppress").click()
        page.get_by_text("Nothing more is sent to no.more@example.com.").wait_for()
        row = Suppression.objects.get(address__shown="no.more@example.com")
        visitor.go(reverse("admin:delivery_suppression_change", args=[row.pk]))
        page.get_by_role("button", name="Release this address").click()
        page.locator("#release").get_by_role("button", name="Release").click()
        page.get_by_text("may be written to again").wait_for()
        row.refresh_from_db()
        assert (row.released_at is not None, row.released_by) == (True, "maya")
