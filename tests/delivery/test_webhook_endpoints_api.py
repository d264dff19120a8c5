"""Outgoing webhooks over HTTP."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from contacts import access, clock
from delivery.models import EndpointDelivery, WebhookEndpoint
from delivery.outgoing import posting
from tests import journeys
from tests.delivery.outgoing.standard import verifies
from tests.receiver import receiving

pytestmark = pytest.mark.django_db(transaction=True)

PUBLIC = {"url": "https://hooks.example.com/carillon", "event_types": ["signed_up"]}


@pytest.fixture
def call(client):
    keys: dict[str, str] = {}

    def send(method: str, path: str = "", body: Any = None, scope: str = "admin") -> tuple[int, Any]:
        if scope not in keys:
            with transaction.atomic():
                keys[scope] = access.create_key(name=scope, kind="secret", scopes=[scope], now=clock.now())
        response = client.generic(
            method,
            f"/api/v1/webhook-endpoints{path}",
            "" if body is None else json.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {keys[scope]}"},
        )
        send.headers = response.headers
        return response.status_code, response.json() if response.content else None

    return send


@pytest.fixture
def made(call) -> dict[str, Any]:
    status, body = call("POST", "/", PUBLIC)
    assert status == 201
    return body


def test_an_endpoint_is_made_and_its_secret_is_shown_in_that_answer_only(call):
    status, body = call("POST", "", {**PUBLIC, "description": "CRM"})
    assert status == 201 and call.headers["Cache-Control"] == "no-store"
    secret = body.pop("secret")
    assert secret.startswith("whsec_")
    assert {name: body[name] for name in ("url", "event_types", "description", "state", "include_personal_data")} == {
        **PUBLIC, "description": "CRM", "state": "enabled", "include_personal_data": False,
    }  # fmt: skip
    assert call("GET", f"/{body['id']}", scope="delivery:read") == (200, body)
    listed = call("GET", scope="delivery:read")
    assert listed == (200, {"results": [body], "next": None, "previous": None})
    assert secret not in json.dumps(listed)


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, ["url"]),
        ({**PUBLIC, "url": "https://169.254.169.254/latest"}, ["url"]),
        ({**PUBLIC, "url": 7}, None),
        ({**PUBLIC, "event_types": "signed_up"}, ["event_types"]),
        ({**PUBLIC, "event_types": []}, ["event_types"]),
        ({**PUBLIC, "event_types": [""]}, None),
        ({**PUBLIC, "secret": "whsec_x"}, ["secret"]),
        ([], None),
    ],
)
def test_what_cannot_be_is_a_problem_that_names_its_place(call, body, loc):
    status, problem = call("POST", "", body)
    assert status == 400 and problem["status"] == 400
    assert loc is None or loc in [error["loc"] for error in problem["errors"]]
    assert not WebhookEndpoint.objects.exists()


def test_it_is_changed_disabled_enabled_and_removed(call, made):
    one = f"/{made['id']}/"
    status, body = call("PATCH", one, {"event_types": ["*"], "include_personal_data": True})
    assert (status, body["event_types"], body["include_personal_data"]) == (200, ["*"], True)
    assert call("PATCH", one, {"url": "http://x.example.com"})[0] == 400
    status, body = call("POST", f"{one}disable")
    assert (status, body["state"], body["disabled_reason"]) == (200, "disabled", "by_hand")
    assert call("POST", f"{one}test")[0] == 409
    assert call("GET", "?state=disabled")[1]["results"][0]["id"] == made["id"]
    assert call("POST", f"{one}enable")[1]["state"] == "enabled"
    assert call("DELETE", one) == (204, None)
    assert call("GET", one)[0] == call("PATCH", one, {})[0] == call("DELETE", one)[0] == 404
    assert call("GET")[1]["results"] == []


def test_a_secret_is_rotated_with_an_overlap(call, made):
    status, body = call("POST", f"/{made['id']}/rotate-secret", {"overlap": "PT1H"})
    assert (
        status == 200 and body["secret"] not in (made["secret"], None) and call.headers["Cache-Control"] == "no-store"
    )
    until = WebhookEndpoint.objects.get().old_secret_until
    assert timedelta(minutes=59) < until - clock.now() <= timedelta(hours=1)
    assert call("POST", f"/{made['id']}/rotate-secret", {})[1]["old_secret_until"] is not None
    assert call("POST", f"/{made['id']}/rotate-secret", {"overlap": "PT0S"})[1]["old_secret_until"] is None
    for wrong in ("tomorrow", "P8D", "P1M", "-P1D"):
        assert call("POST", f"/{made['id']}/rotate-secret", {"overlap": wrong})[0] == 400


def test_a_trial_is_sent_logged_and_replayed(call, settings):
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    with receiving() as server:
        _, made = call("POST", "", {**PUBLIC, "url": server.url})
        one = f"/{made['id']}"
        status, body = call("POST", f"{one}/test")
        assert status == 202
        assert call("POST", f"{one}/deliveries/{body['delivery']}/replay")[0] == 409  # it is under way
        posting.post_batch(patience=None)
        assert verifies(server.got[0], made["secret"])
        status, log = call("GET", f"{one}/deliveries", scope="delivery:read")
        (row,) = log["results"]
        assert (status, row["id"], row["state"], row["status"], row["event_type"]) == (
            200, body["delivery"], "delivered", 200, "ping",
        )  # fmt: skip
        status, again = call("POST", f"{one}/deliveries/{row['id']}/replay")
        assert status == 202 and again["delivery"] != row["id"]
        posting.post_batch(patience=None)
        assert {got.headers["webhook-id"] for got in server.got} == {row["webhook_id"]} and len(server.got) == 2
        assert call("POST", f"{one}/deliveries/{made['id']}/replay")[0] == 404


def test_the_log_is_narrowed_and_paged(call, made):
    one = f"/{made['id']}/deliveries"
    journeys.track(journeys.contacts(3), "signed_up")
    EndpointDelivery.objects.filter(pk=EndpointDelivery.objects.earliest("pk").pk).update(
        state="failed", reason="status_500", finished_at=clock.now(), created_at=clock.now() - timedelta(days=1)
    )
    assert [row["reason"] for row in call("GET", f"{one}?state=failed")[1]["results"]] == ["status_500"]
    assert len(call("GET", f"{one}?type=signed_up")[1]["results"]) == 3
    assert call("GET", f"{one}?type=left")[1]["results"] == []
    since = (clock.now() - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    assert len(call("GET", f"{one}?since={since}")[1]["results"]) == 2
    first = call("GET", f"{one}?limit=2")[1]
    assert len(first["results"]) == 2 and first["next"]
    assert len(call("GET", f"{one}?{first['next'].partition('?')[2]}")[1]["results"]) == 1
    for wrong in ("state=lost", "since=yesterday", "type=%00", "since=0001-01-01T00:00:00%2B14:00"):
        assert call("GET", f"{one}?{wrong}")[0] == 400, wrong


def test_a_span_is_replayed(call, made):
    one = f"/{made['id']}/replay"
    call("POST", f"/{made['id']}/disable")
    journeys.track(journeys.contacts(3), "signed_up")
    now = clock.now()
    whole = {"since": (now - timedelta(hours=1)).isoformat(), "until": (now + timedelta(hours=1)).isoformat()}
    assert call("POST", one, {**whole, "only_failed": True}) == (202, {"queued": 3, "go_on_from": None})
    assert call("POST", one, whole) == (202, {"queued": 0, "go_on_from": None})
    for wrong in ({}, {**whole, "until": whole["since"]}, {**whole, "since": "2020-01-01T00:00:00Z"}):
        assert call("POST", one, wrong)[0] == 400


def test_reading_takes_one_scope_and_changing_another(call, made):
    one = f"/{made['id']}"
    for method, path, body in (
        ("POST", "", PUBLIC), ("PATCH", one, {"description": "x"}), ("DELETE", one, None),
        ("POST", f"{one}/test", None), ("POST", f"{one}/rotate-secret", {}), ("POST", f"{one}/disable", None),
        ("POST", f"{one}/enable", None), ("POST", f"{one}/replay", {}),
    ):  # fmt: skip
        assert call(method, path, body, scope="delivery:read")[0] == 403, path
    assert call("GET", one, scope="contacts:read")[0] == 403
    assert call("GET", f"{one}/deliveries", scope="contacts:read")[0] == 403


def test_every_address_is_described(client):
    document = client.get("/api/v1/schema/?format=json").json()
    base = "/api/v1/webhook-endpoints/"
    found = {
        path.removeprefix(base): sorted(set(each) & {"get", "post", "patch", "delete"})
        for path, each in document["paths"].items()
        if path.startswith(base)
    }
    one = "{public_id}/"
    assert found == {
        "": ["get", "post"],
        one: ["delete", "get", "patch"],
        f"{one}rotate-secret/": ["post"],
        f"{one}enable/": ["post"],
        f"{one}disable/": ["post"],
        f"{one}test/": ["post"],
        f"{one}replay/": ["post"],
        f"{one}deliveries/": ["get"],
        f"{one}deliveries/{{delivery_id}}/replay/": ["post"],
    }
    assert "secret" in json.dumps(document["components"]["schemas"]["MadeShape"])
    listed = {each["name"] for each in document["paths"][f"{base}{one}deliveries/"]["get"]["parameters"]}
    assert {"state", "type", "since", "cursor", "limit"} <= listed
