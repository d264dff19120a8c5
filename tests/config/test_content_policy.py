"""Every answer comes with a policy; where mails are shown, with their pictures; a public page keeps its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from config.content_policy import HEADER, PAGES_WITH_MAILS, POLICY, POLICY_WITH_MAILS

UUID = "00000000-0000-0000-0000-000000000000"
pytestmark = pytest.mark.django_db


def admin_names(resolver: URLResolver | None = None) -> Iterator[str]:
    if resolver is None:
        resolver = next(each for each in get_resolver().url_patterns if getattr(each, "namespace", None) == "admin")
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            yield from admin_names(each)
        elif isinstance(each, URLPattern) and each.name:
            yield each.name


def address(name: str) -> str:
    """Of the page, whatever its parameters are; none of what they name exists."""
    for args in ((), (1,), ("contacts",), (UUID,), (1, 1), (1, "x"), (1, UUID), ("x", "x")):
        with suppress(NoReverseMatch):
            return reverse(f"admin:{name}", args=args)
    raise AssertionError(f"nobody knows what {name} takes")


def test_every_address_of_the_admin_answers_with_the_policy(client):
    lacking = []
    for name in sorted(set(admin_names())):
        wanted = POLICY_WITH_MAILS if f"admin:{name}" in PAGES_WITH_MAILS else POLICY
        if client.get(address(name)).headers.get(HEADER) != wanted:
            lacking.append(name)
    assert lacking == []


def test_the_pages_with_mails_are_pages():
    assert {name.removeprefix("admin:") for name in PAGES_WITH_MAILS} <= set(admin_names())


def test_nothing_inside_a_page_runs_and_nobody_frames_it():
    directives = dict(each.strip().split(" ", 1) for each in POLICY.split(";"))
    assert directives["script-src"] == "'self' 'unsafe-eval'"
    assert directives["img-src"] == "'self' data:"
    assert {directives[name] for name in ("object-src", "base-uri", "frame-ancestors")} == {"'none'"}
    assert directives["form-action"] == directives["default-src"] == "'self'"


@pytest.mark.parametrize("path", ["/admin/login/", "/admin/no-such-page/", "/no-such-page", "/api/v1/docs"])
def test_so_do_pages_for_nobody_in_particular(client, path):
    assert client.get(path).headers[HEADER] == POLICY


def test_a_refusal_by_another_middleware_has_it_too(client, settings):
    settings.ALLOWED_HOSTS = ["carillon.example"]
    answer = client.get("/admin/", headers={"host": "elsewhere.example"})
    assert (answer.status_code, answer.headers[HEADER]) == (400, POLICY)


def test_a_public_page_keeps_the_stricter_policy_that_it_brings(client):
    assert "default-src 'none'" in client.get("/preferences/nonsense").headers[HEADER]


def test_the_reference_of_the_api_runs_no_script_inside_the_page(client):
    page = client.get("/api/v1/docs").content.decode()
    assert "<script>" not in page and page.count("<script src=") == 3
