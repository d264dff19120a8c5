"""Nothing below /api/ is open by accident, and nothing there answers with a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from contacts import access
from contacts.api import events

OPEN = {"schema", "docs"}  # what the API is, for everybody
CHECK_THEMSELVES = {events.record_events}
METHODS = ("get", "post", "put", "patch", "delete")


def addresses(patterns: list[Any], before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for each in patterns:
        address = before + str(each.pattern).removeprefix("^")
        if isinstance(each, URLResolver):
            yield from addresses(each.url_patterns, address)
        elif address.startswith("api/v1/"):
            yield address, each


def undeclared(view: Any) -> list[str]:
    """The methods of a class of views for which no known scope is required."""
    required = getattr(view, "required_scope", None)
    taken = [method for method in METHODS if hasattr(view, method)]
    scopes = {
        method: required if isinstance(required, str) else (required or {}).get(method.upper()) for method in taken
    }
    return [method for method, scope in scopes.items() if scope not in access.SCOPES]


def test_every_address_of_the_api_says_which_scope_it_takes():
    found = dict(addresses(get_resolver().url_patterns))
    assert len(found) > 25
    bare = {}
    for address, pattern in found.items():
        if pattern.name in OPEN or pattern.callback in CHECK_THEMSELVES:
            continue
        view = getattr(pattern.callback, "cls", None)
        missing = undeclared(view) if view else ["it is a plain view"]
        if missing or not any(hasattr(view, method) for method in METHODS):
            bare[address] = missing
    assert bare == {}


def test_a_view_without_a_scope_would_be_found():
    class Forgotten:
        required_scope = {"GET": "contacts:read", "PUT": "everything"}

        def get(self): ...
        def put(self): ...
        def post(self): ...

    assert undeclared(Forgotten) == ["post", "put"]


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/api/", "/api/v1/nothing", "/api/v1/contacts/not-an-id/", "/api/v2/events"])
def test_an_unknown_address_of_the_api_is_a_problem(client, settings, path, method, debug):
    settings.DEBUG = debug
    client.handler.enforce_csrf_checks = True
    response = client.generic(method, path)
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == 404


def test_elsewhere_people_get_a_page(client):
    response = client.get("/nothing")
    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/html")
