"""Workflows over HTTP."""

import json

import pytest
from django.db import transaction

from contacts import access, clock
from tests import journeys
from tests.journeys import definition, step
from workflows.models import Workflow

pytestmark = pytest.mark.django_db(transaction=True)

GOOD = definition({"tag": step("add_tag", tag="t")})


@pytest.fixture
def call(client):
    """Call the API with a key of these scopes; returns (status, body)."""

    def send(
        method: str,
        path: str,
        body=None,
        *,
        scopes=("workflows:read", "workflows:write", "workflows:publish"),
        **headers,
    ):
        with transaction.atomic():
            key = access.create_key(name="test", kind="secret", scopes=list(scopes), now=clock.now())
        response = client.generic(
            method, f"/api/v1/workflows{path}", "" if body is None else json.dumps(body),
            content_type="application/json", headers={"Authorization": f"Bearer {key}", **headers},
        )  # fmt: skip
        return response.status_code, response.json() if response.content else None, response

    return send


def test_a_definition_becomes_a_draft_and_then_a_version(call):
    status, body, _ = call("POST", "/", GOOD)
    assert status == 201 and body["status"] == "draft" and body["problems"] == [] and body["revision"] == 1
    status, body, _ = call("POST", "/journey/publish")
    assert status == 200 and body["status"] == "live" and body["live_version"] == 1
    status, body, _ = call("GET", "/journey/versions")
    assert status == 200 and [row["number"] for row in body["results"]] == [1]
    assert set(body) == {"results", "next", "previous"}


@pytest.mark.parametrize("path", ["/journey", "/journey/"])
def test_a_draft_comes_out_as_it_went_in(call, path):
    call("POST", "", GOOD)
    status, body, response = call("GET", path)
    assert status == 200 and body["definition"] == GOOD and response.headers["ETag"].startswith('"1-')


def test_a_wrong_draft_is_stored_with_its_problems_and_refused_by_publish(call):
    wrong = {**GOOD, "start": "nowhere"}
    status, body, _ = call("POST", "/", wrong)
    assert status == 201 and body["problems"][0]["field"] == "start"
    status, body, _ = call("POST", "/journey/publish")
    assert status == 422 and body["valid"] is False
    assert set(body["problems"][0]) == {"step", "field", "code", "message", "severity"}
    status, body, _ = call("POST", "/journey/validate")
    assert status == 200 and body["valid"] is False


def test_a_stale_write_is_refused(call):
    call("POST", "/", GOOD)
    assert call("PUT", "/journey", GOOD, **{"If-Match": '"1"'})[0] == 200
    assert call("PUT", "/journey", GOOD, **{"If-Match": '"1"'})[0] == 412
    assert Workflow.objects.get().draft_revision == 2
    assert call("PUT", "/journey", GOOD, **{"If-Match": '"1", W/"2"'})[0] == 200
    assert call("PUT", "/journey", GOOD, **{"If-Match": "nonsense"})[0] == 412
    assert call("POST", "/", {**GOOD, "slug": "other"}, **{"If-Match": "*"})[0] == 201
    assert call("POST", "/", {**GOOD, "slug": "third"}, **{"If-Match": '"1"'})[0] == 412


def test_what_was_read_of_a_draft_is_what_a_write_must_match_and_what_is_not_sent_again(call):
    call("POST", "/", GOOD)
    tag = call("GET", "/journey")[2]["ETag"]
    assert call("GET", "/journey", **{"If-None-Match": tag})[0] == 304
    call("POST", "/journey/publish")
    status, body, read = call("GET", "/journey", **{"If-None-Match": tag})
    assert (status, body["live_version"], body["revision"]) == (200, 1, 1)  # another answer, and the same draft
    assert read["ETag"] != tag
    status, _, written = call("PUT", "/journey", GOOD, **{"If-Match": tag})
    assert status == 200
    assert call("GET", "/journey", **{"If-None-Match": written["ETag"]})[0] == 304  # the writer has just this
    assert call("PUT", "/journey", GOOD, **{"If-Match": read["ETag"]})[0] == 412
    assert call("GET", "/journey?fields=slug")[2]["ETag"] != written["ETag"]


def test_pausing_resuming_and_archiving_follow_the_status(call):
    call("POST", "/", GOOD)
    assert call("POST", "/journey/pause")[0] == 409
    call("POST", "/journey/publish")
    for deed, status in (("pause", "paused"), ("resume", "live"), ("archive", "archived")):
        code, body, _ = call("POST", f"/journey/{deed}")
        assert (code, body["status"]) == (200, status)
    assert call("POST", "/journey/publish")[0] == 409


def test_enrolments_show_the_wake_time_of_who_waits_only(call):
    call("POST", "/", definition({"pause": step("wait", mode="duration", **{"for": "P1D"})}))
    call("POST", "/journey/publish")
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    status, body, _ = call("GET", f"/journey/enrolments/?contact={contact.public_id}")
    assert status == 200
    (row,) = body["results"]
    assert row["contact"] == str(contact.public_id) and row["state"] == "waiting" and row["wake_at"]
    assert call("GET", "/journey/enrolments/?contact=someone")[0] == 400
    assert call("GET", "/journey/enrolments/?state=completed")[1]["results"] == []


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [("GET", "/", "workflows:write"), ("POST", "/", "workflows:read"), ("POST", "/journey/publish", "workflows:write")],
)
def test_a_key_without_the_scope_is_refused(call, method, path, scope):
    status, body, response = call(method, path, GOOD, scopes=[scope])
    assert status == 403 and response.headers["Content-Type"].startswith("application/problem+json")
    assert body["status"] == 403


@pytest.mark.parametrize("body", [[], "text", 5, {}, {"slug": 7}])
def test_what_is_no_definition_is_a_clear_error(call, body):
    status, problem, _ = call("POST", "/", body)
    assert status == 400 and problem["detail"]


def test_an_unknown_workflow_is_not_found(call):
    assert call("GET", "/nobody")[0] == 404


def test_the_schema_describes_a_definition(call):
    status, body, _ = call("GET", "/schema")
    assert status == 200 and "steps" in body["properties"] and "schema" in body["properties"]
