"""The alerts in Chromium: light, dark and on a telephone, read by keyboard, and silenced."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from analytics.models import Alert
from contacts import clock
from tests.browser.visit import expect, visiting
from tests.inhabited import inhabit

pytestmark = pytest.mark.django_db(transaction=True)

LOOKS = {"light": {}, "dark": {"dark": True}, "telephone": {"width": 390, "height": 844}}
PAGE = reverse("admin:analytics_alert_changelist")


@pytest.fixture
def trouble(transactional_db) -> Alert:
    now = clock.now()
    inhabit(now=now, contacts=12)
    given = {"said": "12,431 wait, the oldest for 341 s. " * 4, "began_at": now, "seen_at": now, "opened_at": now}
    title = "The book counter a-rather-long-journey-slug a-step-of-it left:yes-and-so-on does not balance"
    for n in range(3):
        over = {"closed_at": now, "gone_since": now + timedelta(hours=1)}
        Alert.objects.create(source="books", key=f"books:{n}", severity="warning", title=title, **given, **over)
    Alert.objects.create(source="books", key="books:x", severity="warning", title=title, page="/admin/", **given)
    return Alert.objects.create(
        source="queues", key="queues:x", severity="critical", title="The queue is late", **given
    )


@pytest.mark.parametrize("look", LOOKS)
def test_the_pages_open_without_a_complaint_and_fit_their_window(browser, live_server, trouble, look):
    with visiting(browser, live_server.url, **LOOKS[look]) as visitor:
        for path in (PAGE, reverse("admin:analytics_alert_runbook") + "#database"):
            visitor.go(path)
            expect(visitor.page.locator("#content h2").first).to_be_visible()
            fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            assert visitor.page.evaluate(fits), (path, look)


def test_whoever_takes_care_of_it_ends_the_line_above_every_page(browser, live_server, trouble):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(reverse("admin:contacts_contact_changelist"))
        line = page.get_by_role("alert")
        expect(line).to_contain_text("The queue is late")
        line.get_by_role("link").click()
        card = page.get_by_role("region", name="The queue is late")
        card.get_by_label("For how long nobody is told").select_option("24")
        button = card.get_by_role("button", name="I take care of it")
        button.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(card).to_contain_text("maya takes care of it")
        card.get_by_role("link", name="What to do").click()
        expect(page.get_by_role("heading", name="A queue is late")).to_be_in_viewport()
