"""Every address and method of the API against keys of every kind: the scope that its document names opens it, and
nothing else does."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from config import roles
from contacts import authority, clock
from contacts.access import SCOPES, Key
from contacts.models import ApiKey
from tests.contacts.conftest import make_key
from tests.rest.objects import NOT_THERE, Objects, furnish_all
from tests.rest.test_openapi import operations

pytestmark = pytest.mark.django_db
_STAND_INS = {**dict.fromkeys(("number", "id", "run_id", "merge_id"), "1"), "name": "sandbox", "kind": "csv"}


def address(template: str, objects: Objects | None) -> str:
    """With an id of something that is there, where there is one."""

    def value(match: re.Match[str]) -> str:
        known = objects.of(template, match[1]) if objects else []
        return known[0] if known else _STAND_INS.get(match[1], NOT_THERE)

    return re.sub(r"\{(\w+)\}", value, template)


def requests(objects: Objects | None = None) -> Iterator[tuple[str, str, str]]:
    """(method, path, scope)"""
    for method, path, operation in operations():
        (scope,) = re.findall(r"Scope: `([\w:]+)`", operation["description"])
        yield method.upper(), address(path, objects), scope


@pytest.fixture
def ask():
    """(Authorization or "", method, path) -> the answer."""
    client = Client(raise_request_exception=False)

    def request(said: str, method: str, path: str) -> Any:
        body = b"{}" if method in ("POST", "PUT", "PATCH") else b""
        headers = {"Authorization": said} if said else {}
        return client.generic(method, path, body, content_type="application/json", headers=headers)

    return request


@pytest.mark.parametrize("scope", [scope for scope in SCOPES if scope != "admin"])
def test_a_key_with_one_scope_opens_what_names_that_scope_and_is_told_what_it_lacks_for_all_else(scope, ask):
    key, wrong = f"Bearer {make_key(scope)}", {}
    for method, path, needed in requests():
        answer = ask(key, method, path)
        if needed == scope:
            is_right = answer.status_code not in (401, 403)
        else:
            said = answer.json() if answer["Content-Type"] == "application/problem+json" else {}
            is_right = (answer.status_code, said.get("detail")) == (403, f"This key lacks the scope {needed}.")
        if not is_right:
            wrong[method, path] = answer.status_code
    assert wrong == {}


def test_a_key_with_all_scopes_but_one_does_not_open_what_names_that_one(ask):
    others = {scope: f"Bearer {make_key(*(set(SCOPES) - {scope, 'admin'}))}" for scope in SCOPES}
    wrong = {
        (method, path): answer.status_code
        for method, path, scope in requests()
        if (answer := ask(others[scope], method, path)).status_code != 403
    }
    assert wrong == {}


def test_the_scope_that_an_operation_names_is_enough_for_it_and_for_the_doors_behind_it(ask):
    """Not every request is valid; but none is refused for want of a permission, and none is a fault of ours."""
    objects, keys = furnish_all(clock.now()), {scope: f"Bearer {make_key(scope)}" for scope in SCOPES}
    said = {(method, path): ask(keys[scope], method, path).status_code for method, path, scope in requests(objects)}
    assert {each: code for each, code in said.items() if code in (401, 403, 405) or code >= 500} == {}
    assert Counter(code // 100 for code in said.values())[2] > 50


def test_admin_opens_everything(ask):
    key = f"Bearer {make_key('admin')}"
    said = {(method, path): ask(key, method, path).status_code for method, path, _ in requests()}
    assert {each: code for each, code in said.items() if code in (401, 403)} == {}


@pytest.mark.parametrize("change", ["scopes", "revoked", "expired", "none", "another", "of the tracking API"])
def test_a_key_that_may_nothing_opens_nothing(change, ask):
    key = make_key("admin") if change != "of the tracking API" else make_key("events:write", kind="server")
    now = clock.now()
    changes = {
        "scopes": {"scopes": []},
        "revoked": {"revoked_at": now},
        "expired": {"expires_at": now - timedelta(seconds=1)},
    }
    if change in changes:
        ApiKey.objects.filter(prefix=key.rpartition("_")[0]).update(**changes[change])
    said = {"none": "", "another": f"Bearer {key[:-1]}{'a' if key[-1] != 'a' else 'b'}"}.get(change, f"Bearer {key}")
    expected = 403 if change in ("scopes", "of the tracking API") else 401
    wrong = {
        (method, path): answer.status_code
        for method, path, _ in requests()
        if (answer := ask(said, method, path)).status_code != expected
    }
    assert wrong == {}


def test_what_the_roles_of_people_forbid_the_scopes_of_a_key_do_not_open():
    """The doors are the same: whoever may not publish as a person may not with a key that lacks that permission."""
    for scope, granted in roles.SCOPES.items():
        actor = authority.of_key(Key(1, "one", "secret", frozenset({scope})))
        for permission in set().union(*roles.SCOPES.values(), *(role.may for role in roles.ROLES)):
            assert actor.may(permission) == (permission in granted), (scope, permission)
