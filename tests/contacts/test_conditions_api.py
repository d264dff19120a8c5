"""The condition language over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contacts.conftest import Api, make_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(db) -> Api:
    return Api(make_key("contacts:read"))


def explain(reader: Api, body: Any) -> Any:
    return reader.call("POST", "/api/v1/conditions/explain", json.dumps(body).encode())


@pytest.mark.parametrize("path", ["/api/v1/conditions/catalogue", "/api/v1/conditions/catalogue/"])
def test_the_catalogue_says_what_can_be_asked(reader, path):
    answer = reader.get(path)
    assert answer.status_code == 200
    said = answer.json()
    assert {"fields", "attributes", "events", "nodes", "operators", "counts", "limits"} <= said.keys()
    assert "email" in [each["field"] for each in said["fields"]]


def test_a_condition_is_explained_in_one_sentence(reader):
    answer = explain(
        reader, {"condition": {"all": [{"has_tag": "vip"}, {"field": "plan", "op": "eq", "value": "pro"}]}}
    )
    assert answer.status_code == 200
    assert answer.json() == {
        "valid": True, "sentence": "has the tag “vip” and plan is “pro”", "problems": []
    }  # fmt: skip


def test_every_problem_of_a_condition_is_named_with_its_path(reader):
    tree = {"all": [{"field": "plan", "op": "like"}, {"event": "bought", "count": -1}]}
    said = explain(reader, {"condition": tree}).json()
    assert said["valid"] is False
    assert said["sentence"] is None
    assert [(each["path"], each["code"]) for each in said["problems"]] == [
        ("all[0].op", "unknown_operator"),
        ("all[1].count", "wrong_value"),
    ]
    assert all(each["message"] for each in said["problems"])


def test_events_may_be_asked_about_where_the_scope_says_so(reader):
    tree = {"field": "event.total", "op": "gt", "value": 50}
    assert explain(reader, {"condition": tree}).json()["problems"][0]["code"] == "out_of_scope"
    said = explain(reader, {"condition": tree, "scope": ["event"]}).json()
    assert said["sentence"] == "the event’s total is greater than 50"


@pytest.mark.parametrize(
    "body", [[], {}, {"scope": []}, {"condition": {}, "scope": "event"}, {"condition": {}, "scope": ["x"]}]
)
def test_what_is_no_question_is_refused(reader, body):
    answer = explain(reader, body)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_language_is_for_those_who_may_read_contacts(api):
    assert api.get("/api/v1/conditions/catalogue").status_code == 403
    assert explain(api, {"condition": {"all": []}}).status_code == 403
