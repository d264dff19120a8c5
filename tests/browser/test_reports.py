"""The reports in Chromium: in both themes and on a telephone, asked, drawn, downloaded and sent by mail."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics.models import ReportSubscription
from analytics.reports.register import reports
from contacts import clock
from tests.analytics.reports import marts
from tests.browser.visit import becomes, expect, visiting
from tests.inhabited import inhabit

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/analytics/reportsubscription/"
# what is chosen can be read: no select is narrower than the longest of its choices, but for the longest names
LEGIBLE = """
    [...document.querySelectorAll(".rp-filters select")].every((select) => {
        const whole = select.cloneNode(true);
        whole.style.width = "max-content";
        select.after(whole);
        const wanted = Math.min(whole.offsetWidth, 250);
        whole.remove();
        return select.offsetWidth >= wanted;
    })
"""
FIRST_IN_SIGHT = "document.querySelector('.rp-heat [class*=rp-shade]').getBoundingClientRect().right <= innerWidth"
LOOKS = {"light": {}, "dark": {"dark": True}, "telephone": {"width": 390, "height": 844, "dark": True}}


@pytest.fixture
def town(transactional_db):
    yield inhabit(now=clock.now())
    marts.drop()


@pytest.fixture
def warehouse(town) -> None:
    marts.build(clock.now())


@pytest.mark.parametrize("look", LOOKS)
def test_every_report_opens_without_a_complaint_and_fits_its_window(browser, live_server, warehouse, look):
    with visiting(browser, live_server.url, **LOOKS[look]) as visitor:
        page = visitor.page
        for path in (LIST, f"{LIST}funnel/mail/", *(f"{LIST}{report.slug}/" for report in reports())):
            visitor.go(path)
            expect(page.locator("h1").first, path).to_be_visible()
            assert visitor.complaints == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is too wide"
            assert page.evaluate(LEGIBLE), f"{path} cuts a choice"
            assert not path.endswith("/cohorts/") or page.evaluate(FIRST_IN_SIGHT), "the chart is out of sight"


def test_bars_begin_at_zero_and_are_as_long_as_their_numbers(browser, live_server, warehouse):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(f"{LIST}funnel/")
        bars = visitor.page.locator(".rp-bars").first.locator("rect.rp-info")
        expect(bars).to_have_count(3)
        boxes = [bar.bounding_box() for bar in bars.all()]
        assert len({round(box["x"]) for box in boxes}) == 1
        assert [round(box["width"] / boxes[0]["width"], 1) for box in boxes] == [1.0, 0.4, 0.3]
        expect(visitor.page.locator(".rp-table tbody tr")).to_have_count(3)


def test_a_report_is_asked_by_its_filters_and_downloaded_as_asked(browser, live_server, warehouse):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(LIST)
        page = visitor.page
        page.get_by_role("link", name="Revenue").click()
        expect(page.locator(".rp-table tbody tr")).to_have_count(3)
        page.get_by_label("Currency").select_option("USD")
        page.get_by_role("button", name="Show", exact=True).click()
        expect(page.locator(".rp-table tbody tr")).to_have_count(1)
        with page.expect_download() as begun:
            page.get_by_role("link", name="CSV").click()
        assert begun.value.suggested_filename == "revenue.csv"
        assert len(Path(begun.value.path()).read_text().splitlines()) == 2
        page.get_by_role("link", name="Reset").click()
        expect(page.locator(".rp-table tbody tr")).to_have_count(3)


def test_a_report_is_set_up_by_mail_with_a_keyboard_and_stopped(browser, live_server, warehouse):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(f"{LIST}attribution/?model=first")
        page = visitor.page
        page.get_by_role("link", name="Send by mail").first.click()
        expect(page.get_by_text("Model: First touch")).to_be_visible()
        expect(page.get_by_label("On", exact=True)).to_be_visible()
        page.get_by_label("month").check()
        expect(page.get_by_label("On", exact=True)).to_be_hidden()
        page.get_by_label("On day").select_option("15")
        page.get_by_label("Time zone").fill("Europe/Berlin")
        page.get_by_label("Time zone").press("Enter")
        expect(page.get_by_text("on day 15 of every month at 08:00 (Europe/Berlin)").first).to_be_visible()
        made = ReportSubscription.objects.get()
        assert (made.filters, made.email) == ({"model": "first"}, "maya@example.com")
        page.get_by_role("button", name="Stop: Attribution to maya@example.com").click()
        expect(page.get_by_text("Stopped", exact=True)).to_be_visible()
        becomes(lambda: ReportSubscription.objects.get().is_active, False, page)


def test_before_the_first_build_a_page_says_what_to_do(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(f"{LIST}cohorts/")
        expect(visitor.page.get_by_role("heading", name="The warehouse has not been built yet")).to_be_visible()
