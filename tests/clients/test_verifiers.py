"""Whoever checks our signatures with the libraries of Standard Webhooks or of Svix finds them good, with either of two
secrets while one takes the other's place; and what SendGrid's own library finds good or forged, so do we."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from sendgrid.helpers.eventwebhook import EventWebhook

from delivery.models import EndpointDelivery, WebhookDelivery
from tests.clients.conftest import run
from tests.contacts.conftest import make_key
from tests.delivery.outgoing.conftest import post
from tests.drills.rig import stub_webhooks
from tests.journeys import definition
from tests.receiver import Got, receiving
from tests.running_web import running_web
from tests.workflows.test_call_webhook import call, enter, work

pytestmark = pytest.mark.django_db(transaction=True)

HERE = "127.0.0.1"  # hosts of our own network are called only if they are named


def verify(folder: Path, got: Got, *secrets: str) -> None:
    """By every library, with each of the secrets."""
    headers = {name: value for name, value in got.headers.items() if name.startswith("webhook-")}
    for number, secret in enumerate(secrets):
        said = folder / f"webhook-{number}.json"
        said.write_text(json.dumps({"secret": secret, "headers": headers, "body": got.body.decode()}))
        run("verify_python.py", str(said))
        run("verify_node.mjs", str(said))


def test_events_that_an_endpoint_gets_are_found_good_also_while_its_secret_is_exchanged(
    tmp_path: Path, settings: Any
) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = [HERE]
    key = make_key("admin", "events:write")
    with receiving() as server, running_web(tmp_path / "web", first_port=18_400, WEBHOOK_ALLOWED_HOSTS=HERE) as web:

        def ask(path: str, body: dict[str, Any]) -> dict[str, Any]:
            said = {"Authorization": f"Bearer {key}", "Content_Type": "application/json"}
            status, answer = web.request("POST", path, json.dumps(body).encode(), **said)
            assert status in {200, 201, 202}, answer
            return json.loads(answer)

        made = ask("/api/v1/webhook-endpoints/", {"url": server.url, "event_types": ["order_completed"]})
        exchanged = ask(f"/api/v1/webhook-endpoints/{made['id']}/rotate-secret", {})
        properties = {"total": 12.5, "note": "Grüße, 1 × ✓"}
        event = {"type": "order_completed", "contact": {"external_id": "u1"}, "properties": properties}
        assert ask("/api/v1/events", {"events": [event]})["accepted"] == 1
        post()
    (got,) = server.got
    assert got.json["data"]["properties"] == properties
    assert EndpointDelivery.objects.get().state == "delivered"
    verify(tmp_path, got, made["secret"], exchanged["secret"])


def test_the_calls_of_a_journey_are_found_good(tmp_path: Path, settings: Any) -> None:
    secrets = ["whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"o", b"k")]
    settings.WEBHOOK_ALLOWED_HOSTS, settings.WEBHOOK_SIGNING_SECRET = [HERE], secrets
    with receiving() as server:
        enter(definition({"lookup": call(server.url, body={"plan": "pro", "seats": 12})}))
        work()
    (got,) = server.got
    verify(tmp_path, got, *secrets)


def test_what_sendgrids_library_finds_good_is_taken_and_what_it_finds_forged_is_not(tmp_path: Path) -> None:
    private, public = stub_webhooks.new_key()
    signer, theirs = stub_webhooks.Signer(private), EventWebhook(public)
    body = json.dumps([stub_webhooks.event("delivered", mid="1", to="ada@example.com")]).encode()
    said = signer.headers(body)
    other = stub_webhooks.Signer(stub_webhooks.new_key()[0]).headers(body)
    with running_web(
        tmp_path / "web", first_port=18_400, EMAIL_PROVIDER="sendgrid", SENDGRID_WEBHOOK_PUBLIC_KEY=public
    ) as web:
        for sent, headers, genuine in (
            (body, said, True),
            (body.replace(b"delivered", b"bounce"), said, False),
            (body, {**said, stub_webhooks.TIMESTAMP: str(int(said[stub_webhooks.TIMESTAMP]) + 1)}, False),
            (body, other, False),
        ):
            signature, stamp = headers[stub_webhooks.SIGNATURE], headers[stub_webhooks.TIMESTAMP]
            assert theirs.verify_signature(sent.decode(), signature, stamp) is genuine
            sent_headers = {name.replace("-", "_"): value for name, value in headers.items()}
            status, _ = web.request("POST", "/webhooks/sendgrid/", sent, **sent_headers)
            assert status == (200 if genuine else 403)
    assert WebhookDelivery.objects.count() == 1
