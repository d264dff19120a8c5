"""Every address of the contract is there, with and without a trailing slash, and takes the methods that it says."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import resolve

from tests.contacts.conftest import make_key

ID = "0e4eaa32-0000-4000-8000-000000000000"
CONTACT = f"/api/v1/contacts/{ID}"
WORKFLOW = "/api/v1/workflows/welcome"
ENDPOINT = f"/api/v1/webhook-endpoints/{ID}"

REST: dict[str, str] = {
    "/api/v1/events": "POST",
    "/api/v1/contacts": "GET POST",
    "/api/v1/contacts/bulk": "POST",
    "/api/v1/contacts/merge": "POST",
    CONTACT: "GET PATCH DELETE",
    f"{CONTACT}/timeline": "GET",
    f"{CONTACT}/score": "GET",
    f"{CONTACT}/lifecycle": "GET POST",
    f"{CONTACT}/consents": "GET POST",
    f"{CONTACT}/why": "GET",
    f"{CONTACT}/export": "GET",
    f"{CONTACT}/erase": "POST",
    "/api/v1/lists": "GET POST",
    "/api/v1/lists/news": "GET PATCH DELETE",
    "/api/v1/tags": "GET POST",
    "/api/v1/tags/vip": "GET PATCH DELETE",
    "/api/v1/segments": "GET POST",
    "/api/v1/segments/trial": "GET PATCH DELETE",
    "/api/v1/segments/preview": "POST",
    "/api/v1/workflows": "GET POST",
    "/api/v1/workflows/schema": "GET",
    WORKFLOW: "GET PUT",
    **dict.fromkeys((f"{WORKFLOW}/{deed}" for deed in ("validate", "publish", "pause", "resume", "archive")), "POST"),
    f"{WORKFLOW}/versions": "GET",
    f"{WORKFLOW}/counters": "GET",
    f"{WORKFLOW}/enrolments": "GET",
    f"{WORKFLOW}/enrol": "POST",
    f"{WORKFLOW}/rehearse": "POST",
    f"{WORKFLOW}/plan": "GET POST",
    f"/api/v1/enrolments/{ID}/remove": "POST",
    f"/api/v1/workflows/enrolments/{ID}/remove": "POST",
    "/api/v1/templates": "GET POST",
    "/api/v1/templates/hello": "GET PUT",
    "/api/v1/templates/hello/preview": "GET POST",
    "/api/v1/templates/hello/send-test": "POST",
    "/api/v1/templates/hello/versions": "GET",
    "/api/v1/scoring/rules": "GET POST",
    "/api/v1/scoring/rulesets": "GET POST",
    "/api/v1/scoring/leaderboard": "GET",
    "/api/v1/suppressions": "GET POST",
    "/api/v1/messages": "GET",
    "/api/v1/experiments/story/results": "GET",
    "/api/v1/webhook-endpoints": "GET POST",
    ENDPOINT: "GET PATCH DELETE",
    f"{ENDPOINT}/deliveries": "GET",
    f"{ENDPOINT}/deliveries/{ID}/replay": "POST",
    f"{ENDPOINT}/replay": "POST",
    "/api/v1/providers/sandbox/resume": "POST",
    "/api/v1/imports": "POST",  # bulk work, and how far it is
    "/api/v1/imports/1": "GET",
    f"{WORKFLOW}/runs": "GET",
    f"{WORKFLOW}/runs/{ID}": "GET",
}
OTHERS = (
    *(f"/v1/{kind}" for kind in ("identify", "track", "page", "screen", "group", "alias", "batch")),
    *(f"/v1/{letter}" for letter in "pitsga"),
    "/v1/projects/wk_abc/settings", "/t.js", "/webhooks/sendgrid/", "/webhooks/postmark/", "/webhooks/mailgun/",
    "/webhooks/ses/", "/webhooks/twilio/", "/u/token", "/preferences/token", "/c/token", "/o/token.gif",
    "/confirm/token", "/healthz", "/readyz", "/metrics", "/admin/", "/api/v1/schema/", "/api/v1/docs/",
)  # fmt: skip
ALL = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", REST)
def test_an_address_of_the_api_takes_the_methods_of_the_contract(path, slash):
    view: Any = resolve(path + slash).func
    if path == "/api/v1/events":  # a plain view; the next test asks it
        return
    taken = {method for method in ALL if hasattr(view.cls, method.lower())}
    assert set(REST[path].split()) <= taken


@pytest.mark.parametrize("path", REST)
def test_a_method_that_an_address_does_not_take_is_told_which_it_takes(db, path):
    view: Any = resolve(path).func
    taken = {method for method in ALL if hasattr(getattr(view, "cls", None), method.lower())} or {"POST"}
    for method in (*ALL, "TRACE"):
        if method in taken:
            continue
        response = Client().generic(method, path, headers={"Authorization": f"Bearer {make_key('admin')}"})
        assert response.status_code == 405, (method, path)
        assert response["Content-Type"] == "application/problem+json"
        assert {each.strip() for each in response["Allow"].split(",")} & set(ALL) == taken


@pytest.mark.parametrize("path", OTHERS)
def test_so_are_the_others(path):
    assert resolve(path)
