"""The webhooks page: the address of each provider, whether it is believed, and how its reports come in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from contacts import clock
from delivery.models import WebhookDelivery
from delivery.providers import entries
from delivery.webhooks import standing

PAGE = "admin:delivery_webhookdelivery_changelist"
pytestmark = pytest.mark.django_db


@pytest.fixture
def olu(staff) -> Client:
    return staff("delivery.view_webhookdelivery")


def way(page, name):
    return next(each for each in (*page.context["in_use"], *page.context["others"]) if each.name == name)


def test_a_provider_in_use_has_the_address_to_paste_and_says_that_its_key_is_missing(olu, settings):
    settings.EMAIL_PROVIDER, settings.SENDGRID_WEBHOOK_PUBLIC_KEY = "sendgrid", ""
    page = olu.get(reverse(PAGE))
    assert page.context["in_use"][0].name == "sendgrid"
    assert ">SendGrid</h2>" in page.content.decode()
    shown = page.content.decode()
    assert f"{settings.PUBLIC_URL}/webhooks/sendgrid/" in shown
    assert "Refused: no key is set" in shown
    settings.SENDGRID_WEBHOOK_PUBLIC_KEY = "a-key-that-nobody-may-read"
    again = olu.get(reverse(PAGE))
    assert way(again, "sendgrid").is_believed
    assert "Refused: no key is set" not in again.content.decode()
    assert "a-key-that-nobody-may-read" not in again.content.decode()


def test_the_address_that_is_shown_is_one_that_answers(olu, client):
    for each in olu.get(reverse(PAGE)).context["others"]:
        path = each.address.removeprefix(settings.PUBLIC_URL)
        assert client.head(path).status_code == 200, path


def test_every_vendor_that_reports_says_how_it_proves_that_it_is_itself():
    silent = [name for name, entry in entries().items() if entry.vendor and entry.channels and not entry.proof]
    assert silent == []


def test_reports_of_the_last_day_are_counted_and_the_last_one_is_told(olu):
    now = clock.now()
    old, fresh, broken = now - timedelta(days=3), now - timedelta(hours=2), now - timedelta(hours=1)
    for at, error in ((old, ""), (fresh, ""), (broken, "element 2: no address")):
        WebhookDelivery.objects.create(
            provider="mailgun", body=b"{}", received_at=at, folded_at=at + timedelta(seconds=4), error=error
        )
    waiting = WebhookDelivery.objects.create(provider="mailgun", body=b"{}", received_at=now - timedelta(minutes=5))
    found = standing.inflows(now=now)["mailgun"]
    assert (found.of_day, found.unread, found.waiting, found.is_more) == (3, 1, 1, False)
    assert found.last_at == waiting.received_at
    assert found.taken_in_seconds == pytest.approx(4)
    assert found.behind_seconds(now) == pytest.approx(300)
    page = olu.get(reverse(PAGE))
    shown = way(page, "mailgun")
    assert shown.is_in_use and shown.is_late
    assert "Behind" in page.content.decode()
    assert "1 with something that could not be read" in page.content.decode()


def test_a_look_reads_no_more_than_the_newest_bodies_and_says_so(monkeypatch):
    monkeypatch.setattr(standing, "LOOKED_AT", 2)
    now = clock.now()
    for n in range(3):
        WebhookDelivery.objects.create(provider="mailgun", body=b"{}", received_at=now - timedelta(minutes=n))
    found = standing.inflows(now=now)["mailgun"]
    assert (found.of_day, found.is_more) == (2, True)


def test_bodies_of_the_old_inbox_do_not_make_a_day_look_cut(monkeypatch):
    monkeypatch.setattr(standing, "LOOKED_AT", 2)
    now = clock.now()
    for days in (2, 1.5, 0.1):
        WebhookDelivery.objects.create(provider="mailgun", body=b"{}", received_at=now - timedelta(days=days))
    found = standing.inflows(now=now)["mailgun"]
    assert (found.of_day, found.is_more) == (1, False)


def test_our_own_links_are_no_vendor_and_the_sandbox_is_one_only_where_it_is_used(olu, settings):
    settings.EMAIL_PROVIDER = "sandbox"
    assert way(olu.get(reverse(PAGE)), "sandbox").is_in_use
    settings.EMAIL_PROVIDER = "smtp"
    page = olu.get(reverse(PAGE))
    names = {each.name for each in (*page.context["in_use"], *page.context["others"])}
    assert not {"links", "sandbox"} & names


def test_the_way_to_website_tracking_is_offered_to_whoever_may_go_it(staff):
    page = reverse("admin:contacts_website")
    body = '<section class="cl-card" aria-labelledby="website-title">'
    for person, is_offered in ((staff("delivery.view_webhookdelivery"), False), (
        staff("delivery.view_webhookdelivery", "contacts.view_apikey"), True
    )):  # fmt: skip
        section = person.get(reverse(PAGE)).content.decode().split(body)[1].split("</section>")[0]
        assert (f'href="{page}"' in section) == is_offered
