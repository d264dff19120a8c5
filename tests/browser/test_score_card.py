"""The score card and the leaderboard, as somebody reads them with keys and without a script."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.urls import reverse

from contacts import clock
from contacts.models import ContactEvent
from scoring.rulesets import versions
from tests.browser.visit import becomes, expect, visiting
from tests.inhabited import Inhabited, inhabit
from tests.scoring.conftest import rule, write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db(transaction=True)

FADING = {"type": "half_life", "period": "P7D"}


@pytest.fixture
def town(live_server) -> Inhabited:
    """Ana clicked two weeks ago and now; there are two scores."""
    found, now = inhabit(now=clock.now()), clock.now()
    with transaction.atomic():
        versions.activate(rules=[rule("clicked", 40, name="Clicked", decay=FADING)], title="Intent", now=now)
        versions.activate(rules=[rule("clicked", 1, name="Came")], name="visits", now=now)
    write_history(found.ana.pk, [Happened("clicked", now - timedelta(days=14)), Happened("clicked", now)])
    return found


def page_of(town: Inhabited) -> str:
    return reverse("admin:contacts_contact_change", args=[town.ana.pk])


def no_overflow(page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 390)])
def test_a_row_opens_to_its_events_with_a_key_and_another_day_is_a_date_away(live_server, browser, town, dark, width):
    with visiting(browser, live_server.url, dark=dark, width=width) as visitor:
        visitor.go(page_of(town))
        card = visitor.page.locator("#score-card")
        expect(card.locator(".cl-figure")).to_have_text("50")
        no_overflow(visitor.page)

        row = card.locator(".sc-rule").first
        expect(row.locator("table")).to_be_hidden()
        row.locator("summary").press("Enter")
        expect(row.locator("tbody tr")).to_have_count(2)
        expect(row.locator("tbody tr").last).to_contain_text("+40")
        expect(row.locator("tbody tr").last).to_contain_text("+10")

        card.locator(".sc-behind summary").press("Enter")
        expect(card.locator(".sc-behind tbody tr").first).to_be_visible()

        then = clock.now() - timedelta(days=13)
        card.locator("#score-as-of").fill(f"{then:%Y-%m-%dT%H:%M}")
        card.locator("#score-show").press("Enter")
        expect(card).to_contain_text(f"Worked out for {then:%-d %b %Y}")
        expect(card.locator(".cl-figure")).to_have_text("36.2")
        assert "as_of=" in visitor.page.url
        no_overflow(visitor.page)
        card.locator("#score-now").press("Enter")
        expect(card).to_contain_text("Worked out now")
        assert "as_of=" not in visitor.page.url


def test_another_score_is_shown_in_its_place_and_the_way_back_is_the_browsers(live_server, browser, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(page_of(town))
        card = visitor.page.locator("#score-card")
        card.locator("#score-visits").press("Enter")
        expect(card.locator("h2")).to_have_text("Visits score")
        expect(card.locator("#score-visits")).to_have_attribute("aria-current", "true")
        expect(card.locator("#score-visits")).to_be_focused()
        visitor.page.go_back()
        expect(visitor.page.locator("#score-card h2")).to_have_text("Lead score")


def test_without_htmx_the_card_is_asked_for_all_the_same(live_server, browser, town):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        page.route("**/*htmx*", lambda route: route.fulfill(body="", content_type="text/javascript"))
        visitor.go(page_of(town))
        assert page.evaluate("typeof htmx") == "undefined"
        then = clock.now() - timedelta(days=13)
        page.fill("#score-as-of", f"{then:%Y-%m-%dT%H:%M}")
        page.click("#score-show")
        expect(page.locator("#score-card .cl-figure")).to_have_text("36.2")
        page.click("#score-visits")
        expect(page.locator("#score-card h2")).to_have_text("Visits score")
        expect(page.locator("#score-card .cl-figure")).to_have_text("1")


def test_points_stay_beside_events_that_are_fetched_later(live_server, browser, town):
    write_history(town.ana.pk, [Happened("clicked", clock.now() - timedelta(days=400, hours=n)) for n in range(3)])
    with visiting(browser, live_server.url) as visitor:
        visitor.go(f"{page_of(town)}?only=events")
        marks = visitor.page.locator("#timeline .cl-pill", has_text="+40")
        expect(marks).to_have_count(1)
        visitor.page.get_by_role("link", name="Show older").press("Enter")
        expect(marks).to_have_count(5)


SHOWN_POINTS = """(card) => [...card.querySelectorAll(".sc-rules .sc-points")]
    .map((each) => parseFloat(each.firstChild.textContent.replace("\u2212", "-").replaceAll(",", "")))"""


def added_up(card) -> tuple[float, float, str]:
    """The rows of the score table together, its last row, and the figure above it."""
    *rows, total = card.evaluate(SHOWN_POINTS)
    return round(sum(rows), 1), total, card.locator(".cl-figure").inner_text()


def test_the_rows_add_up_and_follow_the_rules(live_server, browser, town):
    """38. Rows of the score table add up to the shown score; changing a rule changes it on reload with no migration."""
    with visiting(browser, live_server.url) as visitor:
        with transaction.atomic():
            rules = [rule("clicked", 40, decay=FADING), rule("clicked", -7.5), rule("page_viewed", 3, cap=12)]
            versions.activate(rules=rules, title="With a malus", now=clock.now())
        visitor.go(page_of(town))
        card = visitor.page.locator("#score-card")
        expect(card.locator(".cl-figure")).to_have_text("47")  # 40 and 10, two times -7.5, and 12 at most
        expect(card.locator(".sc-rule")).to_have_count(3)
        assert added_up(card) == (47, 47, "47")
        with transaction.atomic():
            versions.activate(rules=[*rules[:1], rule("clicked", -20), rules[2]], now=clock.now())
        visitor.page.reload()
        expect(card.locator(".cl-figure")).to_have_text("22")
        assert added_up(card) == (22, 22, "22")


def test_the_timeline_is_narrowed_and_read_to_its_end_without_a_repetition(live_server, browser, town):
    """38. Timeline filter works; endless scroll has no duplicates."""
    ids = set(ContactEvent.objects.filter(contact_id=town.ana.pk).values_list("pk", flat=True))
    assert len(ids) > 45  # more than a page of the timeline
    with visiting(browser, live_server.url) as visitor:
        visitor.go(page_of(town))
        page = visitor.page
        chips = page.get_by_role("navigation", name="Show in the timeline")
        chips.get_by_role("link", name="Messages").click()
        expect(chips.get_by_role("link", name="Messages")).to_have_attribute("aria-current", "true")
        expect(page.locator("#timeline a[href*='/message/']").first).to_be_visible()
        expect(page.locator("#timeline a[href*='/contactevent/']")).to_have_count(0)
        chips.get_by_role("link", name="Events").click()
        expect(chips.get_by_role("link", name="Events")).to_have_attribute("aria-current", "true")
        expect(page.locator("#timeline a[href*='/message/']")).to_have_count(0)
        entries = page.locator("#timeline a[href*='/contactevent/']")
        assert entries.count() < len(ids)
        page.mouse.move(500, 450)

        def scroll() -> int:  # as somebody who reads on, and clicks nothing
            page.mouse.wheel(0, 3000)
            return entries.count()

        becomes(scroll, len(ids), page)
        expect(page.locator("#timeline .cl-more")).to_have_count(0)
        found = entries.evaluate_all(
            "(all) => all.map((each) => Number(each.pathname.match(/contactevent.(\\d+)/)[1]))"
        )
        assert len(found) == len(set(found)) and set(found) == ids


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 390)])
def test_the_leaderboard_leads_to_the_contact(live_server, browser, town, dark, width):
    with visiting(browser, live_server.url, dark=dark, width=width) as visitor:
        visitor.go(reverse("admin:scoring_scorecrossing_changelist"))
        page = visitor.page
        expect(page.locator(".sc-places tbody tr")).to_have_count(1)
        no_overflow(page)
        page.locator(".sc-behind summary").press("Enter")
        expect(page.locator(".sc-behind tbody tr").first).to_be_visible()
        page.locator("[name=stage]").select_option("customer")
        page.get_by_role("button", name="Show", exact=True).press("Enter")
        expect(page.get_by_text("Nobody of those whom you chose")).to_be_visible()
        page.get_by_role("link", name="Everybody, now").press("Enter")
        page.wait_for_url("**/scorecrossing/?score=lead")
        page.locator(".sc-places a").press("Enter")
        expect(page.locator("#score-card h2")).to_have_text("Lead score")
