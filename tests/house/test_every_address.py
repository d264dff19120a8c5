"""Whoever comes without a name gets no further than the doors that are meant for everybody, and whatever anybody posts
to any address is answered."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import Resolver404, resolve
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from contacts import access, clock
from contacts.models import ContactEvent
from tests.contacts.collect.segment import make_write_key
from tests.contacts.conftest import Api, make_key
from tests.house.routes import Route, routes

pytestmark = pytest.mark.django_db

# For everybody; each is careful by itself, and has tests of its own.
OPEN = {
    "front-door", "healthz", "readyz", "metrics", "schema", "docs", "snippet", "segment-project", "segment-nothing",
    "confirm", "unsubscribe", "preferences", "link", "picture", "push-worker", "push-key", "push-subscribe", "webhook",
    "report-stop", "admin:login", "admin:jsi18n", "segment-batch", "segment-import",
}  # fmt: skip
BOMBS = {
    "NaN": b"NaN", "infinity": b"-Infinity", "beyond a double": b"1e400", "a NUL": b'"a\\u0000b"',
    "a raw NUL": b'"a\x00b"', "half a character": b'"\\ud800"', "beyond 2^53": b"9007199254740993",
    "beyond 2^63": b"9223372036854775808", "5,001 digits": b"9" * 5001, "a long fraction": b"0." + b"1" * 5001,
    "depth of lists": b"[" * 20_000 + b"]" * 20_000, "depth of objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "never closed": b"[" * 20_000, "the same name twice": b'{"type": "a", "type": "b", "email": 1, "email": 2}',
    "a long text": b'"' + b"x" * 70_000 + b'"', "no UTF-8": b'"\xff\xfe"', "an instant of no calendar":
    b'"9999-12-31T23:59:60.999999999+99:99"', "a year before the first": b'"-271821-04-20T00:00:00Z"', "nothing": b"",
    "a text": b'"x"', "a number": b"7", "null": b"null", "a list of nulls": b"[null, null]",
}  # fmt: skip
WRAPPED = (
    b"%s",
    b'{"events": [{"type": "x", "contact": {"email": "ada@example.com"}, "properties": {"a": %s}}]}',
    b'{"events": [{"type": %s, "contact": {"email": %s}, "occurred_at": %s, "idempotency_key": %s}]}',
    b'{"batch": [{"type": "track", "event": "x", "userId": "7", "properties": {"a": %s}, "timestamp": %s}]}',
    b'{"name": %s, "slug": %s, "condition": %s, "definition": %s, "email": %s, "attributes": {"a": %s}}',
)


SAME = {"/admin/contacts/list/1/delete/", "/admin/contacts/segment/1/delete/"}  # pages of ours in front of Django's
ELSEWHERE = {"NaN", "a NUL", "5,001 digits", "depth of objects", "a list of nulls"}  # one reader, so a few will do


def wrapped(bomb: bytes) -> list[bytes]:
    return [each.replace(b"%s", bomb) for each in WRAPPED]


@pytest.fixture(scope="module")
def every() -> list[Route]:
    found = routes()
    assert len(found) > 300
    return found


def test_the_examples_are_addresses_of_what_they_are_examples_of(every):
    astray = []
    for route in every:
        try:
            found = resolve(route.example)
        except Resolver404:
            astray.append(f"{route.written}: {route.example} is no address")
            continue
        if found.func is not route.view and found.route != route.written and route.example not in SAME:
            astray.append(f"{route.written}: {route.example} is {found.route}")
    assert astray == []


def test_an_address_that_is_not_for_everybody_is_closed_to_nobody_in_particular(every):
    User.objects.create_superuser("maya", password="x")
    client, opened = Client(raise_request_exception=False), {}
    for route in every:
        if route.name in OPEN:
            continue
        for method in ("GET", "POST"):
            answer = client.generic(method, route.example, b"{}", content_type="application/json")
            to_login = answer.status_code == 302 and answer.headers["Location"].startswith("/admin/")
            if not to_login and answer.status_code not in {401, 403, 404, 405}:
                opened[f"{method} {route.example}"] = answer.status_code
    assert opened == {}


@pytest.mark.timeout(300)  # some thousand requests
def test_each_bomb_is_answered_at_every_address(every, settings):
    settings.API_REQUESTS_PER_MINUTE = 10**9
    settings.SANDBOX_INBOX = True
    key = key_for("admin")
    client = Client(raise_request_exception=False)
    posted = [each for each in every if not each.written.startswith("admin/")]
    keys = {True: {"Authorization": f"Bearer {key}"}, False: {"Authorization": f"Bearer {make_write_key('server')}"}}
    fell, asked = {}, 0
    for route in posted:
        bodies = {
            name: wrapped(bomb) if takes_bodies(route) else [bomb]
            for name, bomb in BOMBS.items()
            if takes_bodies(route) or name in ELSEWHERE
        }
        for name, each in bodies.items():
            for body in each:
                answer = client.generic(
                    "POST", route.example, body, content_type="application/json",
                    headers=keys[route.written.startswith("^api/")],
                )  # fmt: skip
                asked += 1
                if answer.status_code >= 500:
                    fell[f"{route.example}: {name}"] = answer.status_code
    assert asked > 900
    assert fell == {}


@pytest.mark.parametrize(
    "bomb", ["NaN", "beyond a double", "a NUL", "half a character", "5,001 digits", "depth of lists"]
)
def test_a_bomb_takes_no_neighbour_along(bomb):
    beside = [
        {"type": "sound", "contact": {"email": "ada@example.com"}},
        {"type": "x", "contact": {"email": "eve@example.com"}, "properties": {}},
    ]
    body = json.dumps({"events": beside}).encode().replace(b"{}", b'{"a": %s}' % BOMBS[bomb])
    answer = Api(make_key("events:write")).post_bytes(body)
    said = answer.json()
    assert (answer.status_code, said["accepted"], [each["index"] for each in said["rejected"]]) == (202, 1, [1]), said
    assert list(ContactEvent.objects.values_list("type", flat=True)) == ["sound"]


def takes_bodies(route: Route) -> bool:
    """Those to which others send what happened; the further names of the tracking API lead to the same door."""
    return route.name in {"events", "segment-batch", "segment-track", "webhook"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=12), inside, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["type", "contact", "occurred_at", "properties", "context", "idempotency_key", "userId", "event"]
)
BODIES = (
    st.binary(max_size=60)
    | VALUES.map(lambda value: json.dumps(value).encode())
    | st.lists(st.dictionaries(FIELDS, VALUES, max_size=6), max_size=4).map(
        lambda events: json.dumps({"events": events, "batch": events}).encode()
    )
)


def key_for(*scopes: str) -> str:
    return access.create_key(name="robot", kind="secret", scopes=scopes, now=clock.now())


@given(body=BODIES)
@example(body=b'{"batch": [{"type": "track", "event": "x", "userId": NaN}], "events": [{"type": 1e999}]}')
@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_json_comes_in_is_taken_or_refused(body, settings):
    settings.API_REQUESTS_PER_MINUTE = 10**9
    client = Client(raise_request_exception=False)
    key = key_for("events:write", "contacts:write")
    of_pages = make_write_key("browser")
    for path, shown in (
        ("/api/v1/events", key), ("/api/v1/contacts/", key), ("/api/v1/contacts/bulk", key), ("/v1/batch", of_pages),
        ("/v1/track", of_pages), ("/v1/identify", of_pages), ("/webhooks/sendgrid", ""), ("/webhooks/links", ""),
        ("/push/subscribe", ""), ("/u/nothing", ""), ("/preferences/nothing", ""), ("/confirm/nothing", ""),
    ):  # fmt: skip
        headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        answer = client.generic("POST", path, body, content_type="application/json", headers=headers)
        assert answer.status_code < 500, (path, answer.status_code)
