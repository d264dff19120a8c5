"""The served document is OpenAPI 3.1, and says of every operation what is true of all."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from django.test import Client
from openapi_spec_validator import OpenAPIV31SpecValidator

from contacts.access import SCOPES

METHODS = {"get", "post", "put", "patch", "delete"}


@cache
def document() -> dict[str, Any]:
    return Client().get("/api/v1/schema/?format=json").json()


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, item in document()["paths"].items()
        for method, operation in item.items()
        if method in METHODS and path.startswith("/api/")
    ]


def test_it_is_valid():
    assert document()["openapi"].startswith("3.1.")
    assert [(list(error.path), error.message) for error in OpenAPIV31SpecValidator(document()).iter_errors()] == []


def test_a_broken_one_would_be_noticed():
    broken = {**document(), "paths": {"/a": {"get": {"responses": {"200": {}}}}}}
    assert list(OpenAPIV31SpecValidator(broken).iter_errors())


def test_every_operation_names_its_scope_its_key_and_how_it_may_fail():
    assert len(operations()) > 150
    for method, path, operation in operations():
        where = f"{method} {path}"
        assert any(f"Scope: `{scope}`." in operation["description"] for scope in SCOPES), where
        assert operation["security"] == [{"apiKey": []}], where
        assert {"400", "401", "403", "404", "429", "503"} <= operation["responses"].keys(), where
        for status, response in operation["responses"].items():
            if status[0] == "4":
                assert response.get("$ref") or "application/problem+json" in response["content"], where


def test_every_post_takes_an_idempotency_key_and_nothing_else_does():
    for method, path, operation in operations():
        names = {each["name"] for each in operation.get("parameters", [])}
        assert ("Idempotency-Key" in names) == ("Carillon-Hops" in names) == (method == "post"), f"{method} {path}"


@pytest.mark.parametrize(
    ("method", "path"),
    [("put", "/api/v1/workflows/{slug}/"), ("post", "/api/v1/workflows/"), ("put", "/api/v1/templates/{slug}/"),
     ("put", "/api/v1/scoring/rulesets/{id}/")],
)  # fmt: skip
def test_what_has_versions_takes_the_one_that_it_was_made_from(method, path):
    operation = document()["paths"][path][method]
    assert "If-Match" in {each["name"] for each in operation["parameters"]}
    assert "412" in operation["responses"]


def test_the_filters_of_a_list_are_told():
    said = {
        path: {each["name"] for each in document()["paths"][path]["get"]["parameters"]}
        for path in ("/api/v1/messages/", "/api/v1/suppressions/", "/api/v1/workflows/{slug}/enrolments/")
    }
    assert said["/api/v1/messages/"] >= {"state", "contact", "external_id", "email", "address", "workflow", "template"}
    assert said["/api/v1/suppressions/"] >= {"address", "scope", "reason"}
    assert said["/api/v1/workflows/{slug}/enrolments/"] >= {"state", "step", "contact", "external_id", "email"}
