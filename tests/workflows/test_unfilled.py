"""What a journey's messages name and its audience lacks; what is personal; and the seed list at publish."""

from __future__ import annotations

import json

import pytest
from django.db import transaction

from contacts import access, clock
from delivery.authoring import seeds, templates
from delivery.models import StaffNotice
from tests.delivery import making
from workflows import publishing
from workflows.definition.validation import validate
from workflows.models import Workflow

pytestmark = pytest.mark.django_db


def definition(**config) -> dict:
    call = {"type": "call_webhook", "config": {"url": "https://x.example/", **config}, "next": {"next": None}}
    steps = {"hello": {"type": "send_email", "config": {"template": "hello"}, "next": {"next": "call"}}, "call": call}
    audience = {"field": "plan", "op": "eq", "value": "pro"}
    entry = {"trigger": {"type": "event", "event": "signed_up"}, "audience": audience}
    return {"schema": 1, "name": "J", "slug": "journey", "entry": entry, "start": "hello", "steps": steps}


@pytest.fixture
def call(client):
    with transaction.atomic():
        key = access.create_key(name="t", kind="secret", scopes=["admin"], now=clock.now())

    def send(method: str, path: str, body=None):
        headers = {"Authorization": f"Bearer {key}"}
        data = "" if body is None else json.dumps(body)
        answer = client.generic(method, f"/api/v1/workflows{path}", data, "application/json", headers=headers)
        return answer.status_code, answer.json()

    return send


def draft(**config) -> Workflow:
    making.template("hello", subject="Hi {{first_name}}", html="<p>x</p>", locales={"de": {"subject": "Hallo"}})
    return publishing.save_draft(definition=definition(**config), now=clock.now())


def test_the_audience_of_the_draft_is_asked(call):
    draft()
    making.contact("a@example.com", attributes={"plan": "pro"})
    making.contact("b@example.com", attributes={"plan": "pro", "first_name": "Bob"})
    making.contact("c@example.com", attributes={"plan": "free"})
    status, body = call("GET", "/journey/missing")
    report = body["templates"]["hello"]
    assert status == 200 and report["audience"] == 2
    assert [(gap["name"], gap["missing"]) for gap in report["gaps"]] == [("first_name", 1)]


def test_a_draft_that_is_none_yet_is_a_clear_error(call):
    publishing.save_draft(definition={"slug": "journey"}, now=clock.now())
    assert call("GET", "/journey/missing/")[0] == 400
    assert call("GET", "/nothing/missing")[0] == 404


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"url": "https://x.example/?s={{salary}}"}, "config.url"),
        ({"headers": {"X-Pay": "{{contact.salary}}"}}, "config.headers.X-Pay"),
        ({"body": {"pay": ["{{#salary}}{{.}}{{/salary}}"]}}, "config.body.pay.0"),
        ({"body": {"pay": "{{salary}}"}, "allow_personal": ["salary"]}, None),
        ({"body": {"plan": "{{plan}}"}}, None),
    ],
)
def test_a_request_that_would_show_something_personal_is_refused(settings, config, field):
    settings.PERSONAL_ATTRIBUTES = ["salary"]
    found = [(each.step, each.field) for each in validate(draft(**config).draft) if each.code == "personal"]
    assert found == ([("call", field)] if field else [])


def test_what_was_marked_since_a_template_was_saved_is_found_at_publish(settings):
    workflow = draft()
    settings.PERSONAL_ATTRIBUTES = ["first_name"]
    with pytest.raises(publishing.CannotPublish) as refused:
        publishing.publish(slug=workflow.slug, by="t", now=clock.now())
    assert [(each.step, each.field, each.code) for each in refused.value.problems] == [
        ("hello", "config.template", "personal")
    ]
    options = {"allow_personal": ["first_name"]}
    templates.save_version(slug="hello", name="H", subject="Hi {{first_name}}", options=options, now=clock.now())
    assert publishing.publish(slug=workflow.slug, by="t", now=clock.now()) == 1


def test_publishing_can_show_every_language_to_the_seed_list(call):
    draft()
    seeds.keep(email="a@seeds.example", now=clock.now())
    assert call("POST", "/journey/publish", {"seeds": True})[0] == 200
    assert sorted(StaffNotice.objects.values_list("subject", flat=True)) == ["Hallo", "Hi Ana"]
    assert call("POST", "/journey/publish", {})[0] == 200 and StaffNotice.objects.count() == 2
