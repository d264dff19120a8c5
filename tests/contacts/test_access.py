"""Keys: made, kept as a hash, asked for, refused."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import access, clock, urls
from contacts.models import ApiKey
from tests.contacts.conftest import Api, make_key

pytestmark = pytest.mark.django_db


class Reading(APIView):
    required_scope = "contacts:read"

    def get(self, request):
        return Response({"key": request.auth.name})


class ByMethod(Reading):
    required_scope = {"GET": "contacts:read", "POST": "contacts:write"}

    def post(self, request):
        return Response({"body": request.data})


class Forgotten(APIView):
    def get(self, request):
        return Response({})


urlpatterns = [
    path("reading", Reading.as_view()),
    path("by-method", ByMethod.as_view()),
    path("forgotten", Forgotten.as_view()),
    *urls.urlpatterns,
]


@pytest.fixture
def views(settings):
    settings.ROOT_URLCONF = "tests.contacts.test_access"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


# -- keys --------------------------------------------------------------------------------------------------------------


def test_a_key_has_a_public_prefix_and_a_long_secret():
    key = make_key("events:write")
    kind, mode, prefix, secret = key.split("_")
    assert (kind, mode, len(prefix), len(secret)) == ("mk", "live", 8, 43)
    assert make_key(kind="browser").startswith("wk_")
    assert make_key("events:write") != key


def test_the_database_holds_no_usable_key():
    key = make_key("events:write")
    with connection.cursor() as cursor:
        cursor.execute("SELECT k::text FROM api_keys k")
        dump = cursor.fetchone()[0]
    assert key.split("_")[3] not in dump
    assert key.encode().hex() not in dump


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"name": " "}, "name"),
        ({"kind": "root"}, "kind"),
        ({"scopes": ["events:write", "everything"]}, "everything"),
        ({"scopes": []}, "scope"),
        ({"kind": "browser", "scopes": ["admin"]}, "write key"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(now, asked, reason):
    with pytest.raises(access.BadKeyRequest, match=reason):
        access.create_key(**({"name": "x", "kind": "secret", "scopes": ["admin"], "now": now} | asked))


# -- requests ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer nonsense",
        "Basic {key}",
        "Bearer {key}x",
        "Bearer mk_live_aaaaaaaa_" + "a" * 43,
        "Bearer \x00",
    ],
)
def test_without_a_valid_key_everything_is_401(views, client, header):
    key = make_key("contacts:read")
    for address in ("/reading", "/forgotten"):
        response = client.get(address, headers={"Authorization": header.format(key=key)} if header else {})
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["title"] == "Unauthorized"


def test_the_events_address_speaks_the_same(client):
    response = client.post("/api/v1/events", headers=bearer("nonsense"))
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert response.headers["Content-Type"] == "application/problem+json"


def test_the_same_prefix_with_another_secret_is_refused(views, client):
    key = make_key("contacts:read")
    forged = key[:-1] + ("a" if key[-1] != "a" else "b")
    assert client.get("/reading", headers=bearer(key)).status_code == 200
    assert client.get("/reading", headers=bearer(forged)).status_code == 401


@pytest.mark.parametrize("column", ["revoked_at", "expires_at"])
def test_revoked_and_expired_keys_are_refused_at_once(views, client, column):
    key = make_key("contacts:read")
    ApiKey.objects.update(**{column: clock.now() + timedelta(hours=1)})
    if column == "expires_at":
        assert client.get("/reading", headers=bearer(key)).status_code == 200
    ApiKey.objects.update(**{column: clock.now() - timedelta(seconds=1)})
    assert client.get("/reading", headers=bearer(key)).status_code == 401


@pytest.mark.parametrize(
    ("scopes", "reading", "writing"),
    [
        (["contacts:read"], 200, 403),
        (["contacts:write"], 403, 200),
        (["admin"], 200, 200),
        (["events:write"], 403, 403),
    ],
)
def test_a_key_may_what_its_scopes_say(views, client, scopes, reading, writing):
    key = make_key(*scopes)
    assert client.get("/by-method", headers=bearer(key)).status_code == reading
    response = client.post("/by-method", "{}", content_type="application/json", headers=bearer(key))
    assert response.status_code == writing
    if writing == 403:
        assert "contacts:write" in response.json()["detail"]


def test_a_view_that_names_no_scope_is_closed_to_everybody(views, client):
    assert client.get("/forgotten", headers=bearer(make_key("admin"))).status_code == 403


@pytest.mark.parametrize("kind", ["browser", "server"])
def test_a_write_key_is_of_no_use_here(views, client, kind):
    key = make_key(kind=kind)
    assert client.get("/reading", headers=bearer(key)).status_code == 403
    response = client.post("/api/v1/events", headers=bearer(key))
    assert response.status_code == 403
    assert "tracking API" in response.json()["detail"]


def test_the_events_address_wants_its_scope(client):
    assert client.post("/api/v1/events", headers=bearer(make_key("contacts:write"))).status_code == 403


def test_use_is_written_down_at_most_once_a_minute(views, client):
    key = make_key("contacts:read")

    def writes() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/reading", headers=bearer(key)).status_code == 200
        return sum("UPDATE" in query["sql"] for query in queries)

    assert [writes(), writes(), writes()] == [1, 0, 0]
    ApiKey.objects.update(last_used_at=clock.now() - timedelta(seconds=61))
    assert writes() == 1


# -- the other errors of the framework ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "body", "content_type", "status"),
    [
        ("PUT", "{}", "application/json", 405),
        ("POST", "<x/>", "application/xml", 415),
        ("POST", "{", "application/json", 400),
        ("POST", '{"a": NaN}', "application/json", 400),
    ],
)
def test_every_error_is_a_problem(views, client, method, body, content_type, status):
    response = client.generic(method, "/by-method", body, content_type, headers=bearer(make_key("admin")))
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == status


def test_the_errors_of_a_form_become_a_flat_list_with_paths():
    from rest_framework.exceptions import ValidationError

    from contacts.problems import problem_details

    error = ValidationError({"name": ["is missing"], "steps": [{}, {"at": ["is wrong"]}], "non_field_errors": ["no"]})
    response = problem_details(error, {})
    assert response.data["status"] == 400
    assert [(each["loc"], each["msg"]) for each in response.data["errors"]] == [
        (["name"], "is missing"),
        (["steps", 1, "at"], "is wrong"),
        ([], "no"),
    ]


# -- commands ----------------------------------------------------------------------------------------------------------


def printed(*command: str) -> str:
    out = io.StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


def test_create_api_key_prints_the_key_alone():
    out = printed("create_api_key", "--name", "shop", "--scopes", "events:write, contacts:read")
    assert out == out.strip() + "\n"
    key = access.find_key(out.strip())
    assert (key.name, key.kind, key.scopes) == ("shop", "secret", {"events:write", "contacts:read"})
    assert Api(out.strip()).post_bytes(b"{").status_code == 400


def test_create_write_key_prints_the_key_alone():
    assert access.find_key(printed("create_write_key", "--name", "site").strip()).kind == "browser"
    assert access.find_key(printed("create_write_key", "--name", "app", "--kind", "server").strip()).kind == "server"


def test_an_unknown_scope_is_named_together_with_those_there_are():
    with pytest.raises(CommandError, match=r"'events:wirte'.*events:write"):
        call_command("create_api_key", "--name", "shop", "--scopes", "events:wirte")
    assert not ApiKey.objects.exists()
