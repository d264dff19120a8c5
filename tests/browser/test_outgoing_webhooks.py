"""Outgoing webhooks in Chromium: added, its secret copied, tried, and sent once more."""

from __future__ import annotations

import pytest
from django.urls import reverse

from contacts import clock
from delivery.models import EndpointDelivery, WebhookEndpoint
from delivery.outgoing import posting, sealing
from tests import journeys
from tests.browser.visit import becomes, expect, visiting
from tests.inhabited import inhabit
from tests.receiver import receiving

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_webhook_is_added_tried_and_told_once_more(browser, live_server, settings):
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    inhabit(now=clock.now(), contacts=24)
    with (
        receiving() as server,
        visiting(browser, live_server.url, dark=True, width=390, height=844) as visitor,
    ):
        page = visitor.page
        visitor.go(reverse("admin:delivery_webhookendpoint_changelist"))
        expect(page.get_by_text("No server hears of events yet")).to_be_visible()
        visitor.go(reverse("admin:delivery_webhookendpoint_add"))
        page.get_by_label("Address").fill(server.url)
        page.get_by_label("Hears of").fill("signed_up")
        page.get_by_label("Description").fill("CRM")
        page.get_by_role("button", name="Add it").click()
        shown = page.locator("#new-secret")
        expect(shown).to_contain_text("whsec_")
        assert shown.inner_text() == sealing.unseal(WebhookEndpoint.objects.get().sealed_secret)
        page.get_by_role("button", name="Copy").click()
        expect(page.locator("[data-copy-label]")).to_have_text("Copied")
        page.get_by_role("link", name="I have copied it").click()
        expect(page.get_by_text("Nothing yet. Send a test")).to_be_visible()
        page.get_by_role("button", name="Send a test").click()
        expect(page.get_by_text("A test is on its way")).to_be_visible()
        posting.post_batch(patience=None)
        journeys.track(journeys.contact("new@example.com").pk, "signed_up")
        posting.post_batch(patience=None)
        assert [got.json["type"] for got in server.got] == ["ping", "signed_up"]
        page.reload()
        expect(page.locator("#log").get_by_text("answered 200")).to_have_count(2)
        page.get_by_role("button", name="Send once more", exact=True).click()
        page.get_by_label("Which").select_option("all")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.get_by_text("Sent once more: 1 event.")).to_be_visible()
        becomes(lambda: EndpointDelivery.objects.filter(is_replay=True, state="queued").count(), 1, page)
        page.locator("#log").get_by_role("link", name="Queued").click()
        expect(page.locator("#log tbody tr")).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert visitor.complaints == []
