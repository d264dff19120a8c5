"""What every answer has around it: only the fields that were asked for, and an ETag by which it is not sent twice."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from contacts.models import Contact
from tests.contacts.conftest import Api, make_key


@pytest.fixture
def api(db) -> Api:
    api = Api(make_key("admin"))
    for number in range(3):
        body = {"external_id": f"c{number}", "email": f"c{number}@example.com", "attributes": {"plan": "trial"}}
        assert api.call("POST", "/api/v1/contacts/", json.dumps(body).encode()).status_code == 201
    return api


def one(api: Api) -> str:
    return f"/api/v1/contacts/{Contact.objects.earliest('id').public_id}/"


def test_a_page_may_be_narrowed_to_some_fields(api):
    page = api.get("/api/v1/contacts/", fields="external_id,attributes", limit="2").json()
    assert page["results"] == [{"external_id": f"c{number}", "attributes": {"plan": "trial"}} for number in (2, 1)]
    assert "fields=external_id" in page["next"] and page["previous"] is None
    assert api.get(page["next"].removeprefix("http://testserver")).json()["results"] == [
        {"external_id": "c0", "attributes": {"plan": "trial"}}
    ]


def test_so_may_one_object(api):
    assert api.get(one(api), fields="email").json() == {"email": "c0@example.com"}


@pytest.mark.parametrize("path", ["/api/v1/contacts/", "/api/v1/lists/", "/api/v1/messages/", "/api/v1/workflows/"])
def test_a_field_that_there_is_not_is_refused_by_name_also_where_there_are_no_results(api, path):
    response = api.get(path, fields="colour,size")
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert [error["loc"] for error in response.json()["errors"]] == [["fields", "colour"], ["fields", "size"]]


def test_contacts_are_found_by_when_they_came_to_be(api):
    instants = list(Contact.objects.order_by("id").values_list("created_at", flat=True))
    Contact.objects.filter(external_id="c1").update(created_at=instants[1] + timedelta(hours=1))
    after = {"created_after": instants[1].isoformat()}
    assert [each["external_id"] for each in api.get("/api/v1/contacts/", **after).json()["results"]] == ["c1"]
    before = {"created_before": (instants[1] + timedelta(hours=1)).isoformat()}
    assert [each["external_id"] for each in api.get("/api/v1/contacts/", **before).json()["results"]] == ["c2", "c0"]
    for wrong in ("yesterday", "2026-03-04T12:00:00", ""):
        assert api.get("/api/v1/contacts/", created_after=wrong).status_code == 400


def test_no_fields_at_all_are_refused_too(api):
    assert api.get(one(api), fields="").status_code == 400


@pytest.mark.parametrize("limit", ["0", "-1", "ten", "", "1.5", "９"])
def test_a_limit_that_is_none_is_refused(api, limit):
    response = api.get("/api/v1/contacts/", limit=limit)
    assert (response.status_code, response.json()["errors"][0]["loc"]) == (400, ["limit"])


def test_more_than_a_page_may_have_is_a_whole_page(api):
    assert len(api.get("/api/v1/contacts/", limit="99999999999999999999").json()["results"]) == 3


def test_who_has_the_answer_is_not_sent_it_again(api):
    first = api.get(one(api))
    headers = {"If-None-Match": first["ETag"]}
    again = api.call("GET", one(api), b"", **headers)
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert "RateLimit-Remaining" in again
    assert api.call("GET", one(api), b"", **{"If-None-Match": f'"other", W/{first["ETag"]}'}).status_code == 304
    assert api.call("GET", one(api), b"", **{"If-None-Match": '"other"'}).status_code == 200
    api.call("PATCH", one(api), b'{"attributes": {"plan": "paid"}}')
    changed = api.call("GET", one(api), b"", **headers)
    assert (changed.status_code, changed.json()["attributes"]) == (200, {"plan": "paid"})


def test_other_fields_are_another_answer(api):
    assert api.get(one(api), fields="email")["ETag"] != api.get(one(api))["ETag"]


def test_what_is_refused_has_no_etag(api):
    assert "ETag" not in api.get("/api/v1/lists/nothing")


def test_the_revision_of_a_draft_is_for_writing_since_more_than_the_draft_may_change(api):
    draft = {"slug": "welcome", "name": "Welcome"}
    made = api.call("POST", "/api/v1/workflows/", json.dumps(draft).encode())
    assert (made.status_code, made["ETag"][:3]) == (201, '"1-')
    assert api.call("GET", "/api/v1/workflows/welcome", b"", **{"If-None-Match": '"1"'}).status_code == 200
    assert api.call("GET", "/api/v1/workflows/welcome", b"", **{"If-None-Match": made["ETag"]}).status_code == 304
    again = {"If-Match": '"1"'}  # whoever knows the revision need not have the ETag
    put = [api.call("PUT", "/api/v1/workflows/welcome", json.dumps(draft).encode(), **again) for _ in range(2)]
    assert [answer.status_code for answer in put] == [200, 412]


def test_a_template_is_written_only_over_the_version_that_was_read(api):
    words = {"slug": "hello", "subject": "Hello", "html": "<p>Hello {{{unsubscribe_url}}}</p>"}
    assert api.call("POST", "/api/v1/templates/", json.dumps(words).encode()).status_code == 201
    read = {"If-Match": api.get("/api/v1/templates/hello")["ETag"]}
    del words["slug"]
    put = [
        api.call("PUT", "/api/v1/templates/hello", json.dumps({**words, "subject": subject}).encode(), **read)
        for subject in ("One", "Other")
    ]
    assert [answer.status_code for answer in put] == [200, 412]
    assert put[1]["Content-Type"] == "application/problem+json"
    assert api.get("/api/v1/templates/hello").json()["version"] == 2
