"""The pages of outgoing webhooks: added with a secret that is shown once, looked at, and what can be done with one."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from contacts import clock, transactions
from delivery.models import EndpointDelivery, WebhookEndpoint
from delivery.outgoing import endpoints, sealing
from delivery.pages import endpoint_log

LIST, ADD = "admin:delivery_webhookendpoint_changelist", "admin:delivery_webhookendpoint_add"
URL = "https://hooks.example.com/in?key=hush"
GIVEN = {"url": URL, "event_types": "signed_up\n left ", "description": "CRM"}


@pytest.fixture
def endpoint(db) -> WebhookEndpoint:
    made = transactions.run(lambda now: endpoints.add(url=URL, event_types=["signed_up"], now=now))
    return WebhookEndpoint.objects.get(pk=made.id)


def page(row: WebhookEndpoint, name: str = "change", *more: str) -> str:
    return reverse(f"admin:delivery_webhookendpoint_{name}", args=[row.pk, *more])


def delivered(row: WebhookEndpoint, **more) -> EndpointDelivery:
    given = {"event_type": "signed_up", "state": "delivered", "status": 200, "duration_ms": 12, "attempts": 1, **more}
    final = None if given["state"] in ("queued", "calling") else clock.now()
    made = EndpointDelivery.objects.create(
        endpoint=row, webhook_id="0" * 32, due_at=clock.now(), created_at=clock.now(), finished_at=final, **given
    )
    return EndpointDelivery.objects.get(pk=made.pk)


def test_an_empty_list_says_what_it_is_for_and_stands_in_the_menu(maya):
    shown = maya.get(reverse(LIST)).content.decode()
    assert "No server hears of events yet" in shown and reverse(ADD) in shown
    assert reverse(LIST) in maya.get(reverse("admin:index")).content.decode()


def test_a_new_one_shows_its_secret_once_and_in_no_cache(maya):
    answer = maya.post(reverse(ADD), GIVEN)
    secret = re.search(r"whsec_[A-Za-z0-9+/=]{44}", answer.content.decode())[0]
    row = WebhookEndpoint.objects.get()
    assert sealing.unseal(row.sealed_secret) == secret and "no-store" in answer["Cache-Control"]
    assert (row.event_types, row.description, row.include_personal_data) == (["left", "signed_up"], "CRM", False)
    for shown in (maya.get(page(row)), maya.get(reverse(LIST)), maya.get(page(row, "edit"))):
        assert secret not in shown.content.decode() and row.sealed_secret not in shown.content.decode()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "http://hooks.example.com"}, "Only https"),
        ({"url": "https://10.1.2.3/"}, "no address of the public internet"),
        ({"event_types": ""}, "required"),
        ({"event_types": "x" * 201}, "exact name of a type"),
    ],
)
def test_what_cannot_be_is_said_at_its_field_and_keeps_the_words(maya, given, said):
    answer = maya.post(reverse(ADD), {**GIVEN, **given}).content.decode()
    assert said in answer and "CRM" in answer and not WebhookEndpoint.objects.exists()


def test_its_page_tells_how_it_answers(maya, endpoint):
    for _ in range(3):
        delivered(endpoint)
    delivered(endpoint, state="failed", reason="status_500", status=500, attempts=10)
    shown = maya.get(page(endpoint)).content.decode()
    assert "75.0%" in shown and "answered 500" in shown and "answered 200 in 12 ms" in shown
    failed = maya.get(page(endpoint) + "?state=failed").content.decode()
    assert "answered 500" in failed and "answered 200 in" not in failed


def test_the_log_is_paged_by_the_place_where_a_page_ended(maya, endpoint, monkeypatch):
    monkeypatch.setattr(endpoint_log, "SHOWN", 2)
    rows = [delivered(endpoint, event_type=f"type_{n}") for n in range(3)]
    first = maya.get(page(endpoint)).content.decode()
    assert "type_2" in first and "type_1" in first and "type_0" not in first
    older = maya.get(f"{page(endpoint)}?before={rows[1].pk}").content.decode()
    assert "type_0" in older and "type_1" not in older
    for odd in ("?before=x&state=nonsense", "?before=" + "9" * 30):
        assert maya.get(page(endpoint) + odd).status_code == 200


def test_what_can_be_done_with_it_is_done(maya, endpoint):
    def does(deed: str, **posted: str) -> str:
        return maya.post(page(endpoint, "deed", deed), posted, follow=True).content.decode()

    assert "A test is on its way" in does("test")
    assert EndpointDelivery.objects.get().event_type == "ping"
    assert "Disabled: it hears of nothing new" in does("disable")
    assert "Not done: it is disabled." in does("test")
    assert "There was nothing to send once more." in does("replay", hours="720")
    assert "Enabled." in does("enable")
    EndpointDelivery.objects.all().delete()
    done = delivered(endpoint)
    assert "It is sent once more." in maya.post(page(endpoint, "replay", done.public_id), follow=True).content.decode()
    again = EndpointDelivery.objects.get(is_replay=True)
    assert "under way already" in maya.post(page(endpoint, "replay", again.public_id), follow=True).content.decode()
    assert maya.post(page(endpoint, "replay", endpoint.public_id)).status_code == 404
    assert maya.post(page(endpoint, "deed", "nonsense")).status_code == 404
    assert "Removed." in does("remove")
    assert maya.post(page(endpoint, "deed", "enable")).status_code == 404


def test_it_is_changed_and_gets_another_secret(maya, endpoint):
    maya.post(page(endpoint, "edit"), {**GIVEN, "event_types": "*", "include_personal_data": "on"})
    endpoint.refresh_from_db()
    assert (endpoint.event_types, endpoint.include_personal_data) == (["*"], True)
    assert "Only https" in maya.post(page(endpoint, "edit"), {**GIVEN, "url": "http://x.example.com"}).content.decode()
    answer = maya.post(page(endpoint, "rotate"))
    endpoint.refresh_from_db()
    assert sealing.unseal(endpoint.sealed_secret) in answer.content.decode() and "no-store" in answer["Cache-Control"]
    assert endpoint.old_secret_until is not None


def test_who_may_look_sees_no_key_in_the_address_and_may_do_nothing(staff, endpoint):
    looks = staff("delivery.view_webhookendpoint")
    done = delivered(endpoint)
    shown = looks.get(page(endpoint)).content.decode() + looks.get(reverse(LIST)).content.decode()
    assert "hooks.example.com" in shown and "hush" not in shown and "Send a test" not in shown
    for deed in ("test", "enable", "disable", "remove", "replay"):
        assert looks.post(page(endpoint, "deed", deed)).status_code == 403
    assert looks.post(page(endpoint, "replay", done.public_id)).status_code == 403
    for name in ("edit", "rotate"):
        assert looks.post(page(endpoint, name)).status_code == 403
    assert looks.get(page(endpoint, "rotate")).status_code == looks.post(reverse(ADD)).status_code == 403
    assert staff("delivery.view_webhookdelivery").get(page(endpoint)).status_code == 403
