"""Numbers on the map in Chromium: they move while somebody looks, the same in the builder and in the results, and a
number leads to its people."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from analytics.counting import counters
from tests import journeys
from tests.browser.visit import expect, visiting
from tests.journeys import definition, step
from workflows.models import Enrolment, Workflow

pytestmark = pytest.mark.django_db(transaction=True)

LOOKS = {"light": {}, "dark": {"dark": True}, "telephone": {"width": 390, "height": 844}}
LONG = 'A step with <b>a name</b> that is "longer" than any card would ever like it to be'


@pytest.fixture
def journey(transactional_db) -> Workflow:
    """A journey that somebody looks at before anybody has entered it, with a second version."""
    User.objects.create_superuser("maya", "maya@example.com", "correct horse")
    arms = [{"key": "yes", "if": {"field": "vip", "op": "eq", "value": True}}]
    steps = {
        "vip": step("branch", {"yes": "thanks", "else": "pause"}, arms=arms),
        "pause": {**step("wait", {"next": "thanks"}, mode="duration", **{"for": "P3D"}), "name": LONG},
        "thanks": step("add_tag", tag="seen"),
    }
    journeys.publish(definition(steps, slug="trial"))
    steps["vip"] = {**steps["vip"], "name": "Very important?"}
    journeys.publish(definition(steps, slug="trial"))
    return Workflow.objects.get(slug="trial")


def builder(journey: Workflow) -> str:
    return reverse("admin:workflows_workflow_map", args=[journey.pk])


def results(journey: Workflow, query: str = "") -> str:
    return reverse("admin:analytics_counter_results", args=[journey.pk]) + query


def compared(journey: Workflow) -> str:
    return reverse("admin:workflows_workflow_compared", args=[journey.pk]) + "?from=1&to=2"


def sign_up(count: int, **attributes: object) -> list[int]:
    """So many events, worked through as workers would, and folded."""
    ids = [journeys.contact(f"{count}-{n}@example.com", attributes=attributes).pk for n in range(count)]
    journeys.track(ids, "signed_up")
    journeys.run()
    counters.fold()
    return ids


def shown(page, step: str, name: str):
    return page.locator(f'[id="numbers-{step}"] [data-n="{name}"]')


@pytest.mark.parametrize("look", LOOKS)
def test_the_maps_to_read_open_without_a_complaint_and_fit_their_window(browser, live_server, journey, look):
    sign_up(3)
    with visiting(browser, live_server.url, **LOOKS[look]) as visitor:
        for path in (results(journey), results(journey, "?range=7&version=1"), compared(journey)):
            visitor.go(path)
            page = visitor.page
            expect(page.locator(".jb-card").first, path).to_be_visible()
            assert visitor.complaints == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is too wide"


def test_the_numbers_in_the_builder_move_while_somebody_looks(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(builder(journey))
        page = visitor.page
        page.evaluate("window.same = true")
        expect(shown(page, ".trigger", "entered")).to_have_count(0)
        sign_up(20)
        expect(shown(page, ".trigger", "entered")).to_have_text("20")
        expect(shown(page, "pause", "here")).to_have_text("20")
        waiting = Enrolment.objects.filter(workflow=journey, step="pause", state="waiting").count()
        assert waiting == 20
        sign_up(5, vip=True)
        expect(shown(page, ".trigger", "entered")).to_have_text("25")
        expect(shown(page, "thanks", "entered")).to_have_text("5")
        expect(page.locator('[id="numbers-.trigger"] .jb-tick')).to_have_text("25")
        assert page.evaluate("window.same"), "the page was loaded again"


def test_a_map_that_is_drawn_anew_keeps_its_numbers(browser, live_server, journey):
    sign_up(4)
    with visiting(browser, live_server.url) as visitor:
        visitor.go(builder(journey))
        page = visitor.page
        expect(shown(page, "pause", "here")).to_have_text("4")
        page.locator('[id="plus-pause-next"]').click()
        page.locator('[data-kind="add_tag"]').click()
        expect(page.locator(".jb-card")).to_have_count(5)
        expect(shown(page, "pause", "here")).to_have_text("4")
        assert page.locator(".jb-tick").count() == 0, "what did not change does not flash"


def test_a_hidden_page_asks_for_nothing(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        page.add_init_script("Object.defineProperty(document, 'hidden', { get: () => window.away === true })")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "/standing/" in request.url else None)
        page.clock.install()
        visitor.go(builder(journey))
        with page.expect_response("**/standing/"):
            pass
        page.clock.run_for(1000)
        before = len(asked)
        page.evaluate("window.away = true; document.dispatchEvent(new Event('visibilitychange'))")
        page.clock.run_for(60_000)
        assert len(asked) == before
        with page.expect_response("**/standing/"):
            page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
        assert len(asked) == before + 1


def test_the_results_move_and_here_now_leads_to_those_who_wait(browser, live_server, journey):
    sign_up(2)
    with visiting(browser, live_server.url) as visitor:
        visitor.go(results(journey))
        page = visitor.page
        expect(page.locator("#live-status")).to_have_text("Live")
        expect(shown(page, "pause", "here")).to_have_text("2")
        late = sign_up(6, vip=True)
        expect(page.locator('[id="share-vip-yes"]')).to_have_text("75%")
        expect(page.locator('[id="share-vip-else"]')).to_have_text("25%")
        expect(page.locator('#results-head [data-n="completed"]')).to_have_text("6")
        page.locator('[id="numbers-pause"] a').click()
        expect(page.locator("#result_list tbody tr")).to_have_count(2)
        assert Enrolment.objects.filter(contact_id__in=late, state="waiting").count() == 0
        for who in Enrolment.objects.filter(step="pause", state="waiting").values_list("contact_id", flat=True):
            assert who not in late


def test_the_results_are_read_with_the_keyboard(browser, live_server, journey):
    sign_up(3)
    with visiting(browser, live_server.url) as visitor:
        visitor.go(results(journey))
        page = visitor.page
        page.locator('[id="card-.trigger"] .jb-hit').focus()
        page.keyboard.press("ArrowDown")
        expect(page.locator("#card-vip .jb-hit")).to_be_focused()
        page.keyboard.press("Enter")
        panel = page.locator("#builder-panel")
        expect(panel.get_by_role("heading", name="Very important?")).to_be_visible()
        expect(panel.get_by_role("row", name="No 3 100%")).to_be_visible()
        page.keyboard.press("Escape")
        expect(panel).to_be_hidden()
        expect(page.locator("#card-vip .jb-hit")).to_be_focused()
        assert page.locator(".jb-plus").count() == 0


def test_from_what_changed_one_comes_to_its_card(browser, live_server, journey):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(compared(journey))
        page = visitor.page
        page.get_by_role("button", name="Very important?", exact=True).click()
        expect(page.locator("#card-vip.jb-chosen .jb-mark")).to_have_text("Changed")
