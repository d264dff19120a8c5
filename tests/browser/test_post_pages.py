"""The post office's pages in Chromium: light, dark and on a telephone; charts with their tables, and a check that is
waited for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from contacts import clock
from delivery import recounting, tallies
from delivery.models import PostTally, SendingDomain
from delivery.preflight import checking
from delivery.rates import warming
from tests.browser.visit import visiting
from tests.delivery.test_preflight import Zone
from tests.inhabited import Inhabited, inhabit

pytestmark = pytest.mark.django_db(transaction=True)

DOMAIN = "a-rather-long-subdomain.of-news.shop.example"
LOOKS = {"light": {"policy": True}, "dark": {"dark": True}, "telephone": {"width": 390, "height": 844}}


@pytest.fixture
def town(transactional_db) -> Inhabited:
    now = clock.now()
    town = inhabit(now=now)
    recounting.mend()
    for n in range(90):
        PostTally.objects.create(
            day=tallies.day_of(now) - timedelta(days=n), channel="email", sending=DOMAIN, receiving="gmail",
            message_class="marketing", what="accepted", n=1_000_000 + n,
        )  # fmt: skip
    warming.start(DOMAIN, ramp="careful", now=now)
    SendingDomain.objects.create(domain="braked.example", created_at=now, braked_at=now, braked_why={"reason": "x"})
    zone = Zone().add(DOMAIN, "TXT", ["v=spf1 " + "include:x.example " * 40])
    checking.check(DOMAIN, zone.add(DOMAIN, "MX", ["10 mx." + "x" * 60 + ".example"]))
    return town


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_opens_without_a_complaint_and_fits_its_window(browser, live_server, town, look):
    pages = [
        reverse("admin:delivery_posttally_changelist"),
        reverse("admin:delivery_posttally_changelist") + "?days=90&channel=email",
        reverse("admin:delivery_posttally_changelist") + "?channel=push",
        reverse("admin:delivery_sendingdomain_changelist"),
        reverse("admin:delivery_sendingdomain_change", args=[DOMAIN]),
        reverse("admin:delivery_sendingdomain_change", args=["braked.example"]),
        reverse("admin:delivery_message_in_doubt"),
        reverse("admin:delivery_message_changelist") + "?state=rejected",
        reverse("admin:delivery_message_change", args=[town.accepted.pk]),
        reverse("admin:delivery_provider_changelist"),
        reverse("admin:delivery_provider_change", args=["sendgrid"]),
        reverse("admin:delivery_suppression_changelist"),
        reverse("admin:delivery_suppression_import"),
    ]
    with visiting(browser, live_server.url, **LOOKS[look]) as visitor:
        for path in pages:
            visitor.go(path)
            page = visitor.page
            assert visitor.complaints == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is too wide"
            assert page.evaluate("window.broken") is None, path
            assert page.locator("h1").first.is_visible(), path


def test_behind_every_chart_is_a_table_that_a_keyboard_opens(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(reverse("admin:delivery_posttally_changelist"))
        page = visitor.page
        charts = page.locator("svg[role=img]")
        tables = page.locator("details.dl-behind")
        assert charts.count() == tables.count() == 2
        summary = tables.first.locator("summary")
        summary.focus()
        page.keyboard.press("Enter")
        rows = tables.first.locator("tbody tr")
        assert rows.count() == 14
        assert rows.first.is_visible()
        assert charts.first.locator("rect.dl-fill-info").count() == 14


def test_a_release_is_asked_about_first(browser, live_server, town):
    with visiting(browser, live_server.url, policy=True) as visitor:
        visitor.go(reverse("admin:delivery_posttally_changelist"))
        page = visitor.page
        page.get_by_role("button", name="Release").first.click()
        page.get_by_role("button", name="Leave it braked").click()
        assert SendingDomain.objects.get(pk="braked.example").braked_at is not None
        page.get_by_role("button", name="Release").first.click()
        page.get_by_role("dialog").get_by_role("button", name="Release").click()
        page.get_by_text("goes out again").wait_for()
        assert SendingDomain.objects.get(pk="braked.example").braked_at is None


def test_a_check_that_was_asked_for_appears_when_it_is_there(browser, live_server, town):
    with visiting(browser, live_server.url, policy=True) as visitor:
        visitor.go(reverse("admin:delivery_sendingdomain_change", args=[DOMAIN]))
        page = visitor.page
        page.get_by_role("button", name="Check now").click()
        page.get_by_text("Being checked: the DNS is asked").wait_for()
        checking.check(DOMAIN, Zone().add(DOMAIN, "MX", ["10 mail.arrived.example"]))
        page.get_by_text("10 mail.arrived.example").wait_for()
