"""The post office over HTTP."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils.dateparse import parse_datetime

from contacts import access, clock, identity
from contacts.identity import Identifiers
from delivery.models import Suppression
from delivery.rates import stopping
from tests import journeys
from tests.delivery import making
from workflows.models import Workflow

pytestmark = pytest.mark.django_db


def call(method: str, path: str, *scopes: str, **body: object):
    key = access.create_key(name="test", kind="secret", scopes=scopes or ["delivery:read"], now=clock.now())
    data = {"data": body, "content_type": "application/json"} if method == "post" else {}
    return getattr(Client(), method)(path, headers={"Authorization": f"Bearer {key}"}, **data)


def listed(query: str = "") -> list[dict]:
    answer = call("get", f"/api/v1/messages/{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def test_a_message_is_shown_with_what_became_of_it():
    message = making.message(step="hello", topic="news")
    making.deliver()
    (shown,) = listed()
    assert parse_datetime(shown.pop("created_at")) and parse_datetime(shown.pop("changed_at"))
    assert shown.pop("contact")
    assert shown == {
        "id": str(message.public_id), "channel": "email", "workflow": "journey", "step": "hello",
        "template": "welcome", "template_version": 1, "message_class": "marketing", "topic": "news", "priority": 5,
        "lane": "urgent", "state": "accepted", "reason": "", "provider": "sandbox", "provider_code": 202,
        "provider_said": "",
    }  # fmt: skip


def test_messages_are_narrowed_by_what_one_would_expect():
    who = identity.resolve([Identifiers(external_id="x1", email="ada@example.com")], source="api", now=clock.now())
    (ada,) = who.contact_ids
    journeys.template("welcome")
    journeys.publish(journeys.definition({"mail": journeys.step("send_email", template="welcome")}))
    journey = Workflow.objects.get().pk
    first = making.message(ada, version_id=making.template("other"), workflow_id=journey)
    second = making.message(ada, workflow_id=journey)  # the cap holds it back
    third = making.message(lane="bulk", workflow_id=journey)
    making.deliver()
    ids = {str(message.public_id): name for name, message in (("1", first), ("2", second), ("3", third))}

    def found(query: str) -> str:
        return "".join(sorted(ids[each["id"]] for each in listed(query)))

    contact = listed("?state=capped")[0]["contact"]
    assert found("") == "123"
    assert (found("?state=accepted"), found("?state=capped"), found("?state=queued")) == ("1", "2", "3")
    assert found("?external_id=x1") == found("?email=ADA@example.com") == found("?address=ada@example.com") == "12"
    assert found(f"?contact={contact}") == "12" and found("?template=other") == "1"
    assert found("?workflow=journey") == "123" and found("?workflow=else") == ""
    assert found("?step=nowhere") == "" and found("?state=accepted&template=welcome") == ""


@pytest.mark.parametrize("query", ["?state=lost", "?contact=7"])
def test_a_filter_that_cannot_be_is_said_so(query):
    answer = call("get", f"/api/v1/messages/{query}")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json" and answer.json()["errors"]


def test_the_list_is_paged_newest_first():
    messages = [making.message() for _ in range(5)]
    first = call("get", "/api/v1/messages/?limit=2").json()
    assert [each["id"] for each in first["results"]] == [str(each.public_id) for each in (messages[4], messages[3])]
    second = call("get", first["next"]).json()
    assert [each["id"] for each in second["results"]] == [str(each.public_id) for each in (messages[2], messages[1])]


def test_an_address_is_suppressed_when_the_answer_comes():
    answer = call("post", "/api/v1/suppressions/", "admin", address="Ada@example.com", scope="email", reason="manual")
    assert answer.status_code == 201
    assert (answer.json()["scope"], answer.json()["reason"], answer.json()["source"]) == ("email", "manual", "api")
    message = making.message(making.contact("ada@example.com").pk)
    making.deliver()
    assert making.state(message) == "suppressed:manual"


def test_suppressing_again_answers_with_the_one_that_stands():
    first, again = (call("post", "/api/v1/suppressions/", "admin", address="ada@example.com").json() for _ in range(2))
    assert first == again and first["scope"] == "all" and Suppression.objects.count() == 1


@pytest.mark.parametrize("body", [{}, {"address": "nobody"}, {"address": "a@b.example", "reason": "because"}])
def test_a_suppression_that_makes_no_sense_is_refused(body):
    answer = call("post", "/api/v1/suppressions/", "admin", **body)
    assert answer.status_code == 400 and answer.json()["errors"]
    assert not Suppression.objects.exists()


def test_suppressions_are_listed_by_any_spelling_of_the_address():
    for address in ("ada@example.com", "eve@example.com"):
        call("post", "/api/v1/suppressions/", "admin", address=address)
    found = call("get", "/api/v1/suppressions/?address=ADA@Example.com").json()["results"]
    assert [each["address"] for each in found] == ["ada@example.com"]
    assert len(call("get", "/api/v1/suppressions/?reason=manual").json()["results"]) == 2
    assert call("get", "/api/v1/suppressions/?reason=complaint").json()["results"] == []


def test_a_telephone_number_is_suppressed_for_text_messages_however_it_is_written():
    answer = call("post", "/api/v1/suppressions/", "admin", address="+49 (30) 1234-567", reason="unsubscribe")
    assert answer.status_code == 201
    assert (answer.json()["address"], answer.json()["channel"]) == ("+49301234567", "sms")
    found = call("get", "/api/v1/suppressions/?address=%2B49301234567").json()["results"]
    assert [each["id"] for each in found] == [answer.json()["id"]]
    assert call("post", "/api/v1/suppressions/", "admin", address="+49").status_code == 400


@pytest.mark.parametrize(("address", "scope"), [("ada@example.com", "sms"), ("+49301234567", "email")])
def test_a_channel_is_not_barred_at_an_address_of_another_one(address, scope):
    answer = call("post", "/api/v1/suppressions/", "admin", address=address, scope=scope)
    assert answer.status_code == 400 and answer.json()["errors"][0]["loc"] == ["scope"]
    assert not Suppression.objects.exists()


def test_a_stopped_provider_is_resumed():
    stopping.stop("sandbox", "401", now=clock.now())
    message = making.message()
    assert making.deliver() == 0
    assert call("post", "/api/v1/providers/sandbox/resume", "admin").json() == {"provider": "sandbox", "resumed": True}
    assert call("post", "/api/v1/providers/sandbox/resume/", "admin").json()["resumed"] is False
    making.deliver()
    assert making.state(message) == "accepted"


def test_a_provider_that_is_not_there_is_not_found():
    assert call("post", "/api/v1/providers/pigeon/resume", "admin").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("get", "/api/v1/messages/", "contacts:read"),
        ("get", "/api/v1/suppressions/", "contacts:read"),
        ("post", "/api/v1/suppressions/", "delivery:read"),
        ("post", "/api/v1/providers/sandbox/resume", "delivery:read"),
    ],
)
def test_every_address_asks_for_its_scope(method, path, scope):
    assert call(method, path, scope).status_code == 403
    assert getattr(Client(), method)(path).status_code == 401
