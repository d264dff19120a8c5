"""Templates over HTTP."""

import json

import pytest
from django.db import transaction

from contacts import access, clock
from delivery.models import TemplateVersion

pytestmark = pytest.mark.django_db

WELCOME = {"slug": "welcome", "name": "Welcome", "subject": "Hello", "html": "<p>{{first_name}}</p>", "text": "hi"}


@pytest.fixture
def call(client):
    def send(method, path, body=None, scopes=("workflows:read", "workflows:write")):
        with transaction.atomic():
            key = access.create_key(name="test", kind="secret", scopes=list(scopes), now=clock.now())
        response = client.generic(
            method,
            f"/api/v1/templates{path}",
            "" if body is None else json.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )
        return response.status_code, response.json()

    return send


def test_a_template_is_live_at_once_and_writing_it_again_makes_the_next_version(call):
    status, body = call("POST", "/", WELCOME)
    assert (status, body["version"], body["html"]) == (201, 1, "<p>{{first_name}}</p>")
    status, body = call("POST", "", {**WELCOME, "subject": "Good day"})
    assert (status, body["version"], body["subject"]) == (200, 2, "Good day")
    status, body = call("PUT", "/welcome/", {"subject": "Third", "html": "<p>3</p>"})
    assert (status, body["version"], body["name"]) == (200, 3, "Welcome")
    assert TemplateVersion.objects.count() == 3
    status, body = call("GET", "/?slug=welcome")
    assert status == 200 and [row["version"] for row in body["results"]] == [3]
    assert call("GET", "/welcome")[1]["subject"] == "Third"


@pytest.mark.parametrize(
    "body", [{}, [], {"slug": "not a slug"}, {**WELCOME, "html": "{{#open}}"}, {**WELCOME, "channel": "fax"}]
)
def test_what_cannot_be_a_template_is_a_clear_error(call, body):
    status, problem = call("POST", "/", body)
    assert status == 400 and problem["errors"]


def test_reading_and_writing_need_their_scopes(call):
    assert call("POST", "/", WELCOME, scopes=["workflows:read"])[0] == 403
    assert call("GET", "/", scopes=["workflows:write"])[0] == 403
    assert call("GET", "/nothing")[0] == 404
