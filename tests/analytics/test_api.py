"""A workflow's counters over HTTP."""

from __future__ import annotations

import pytest

from tests.contacts.conftest import Api, make_key

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def reader() -> Api:
    return Api(make_key("workflows:read"))


@pytest.mark.parametrize("slash", ["", "/"])
def test_counters_say_what_happened_in_a_workflow(lived, reader, slash):
    body = reader.get(f"/api/v1/workflows/{lived.slug}/counters{slash}").json()
    assert body["enrolments"] == {
        "pending": 0, "active": 0, "waiting": 4, "completed": 2, "exited": {}, "failed": 0,
    }  # fmt: skip
    assert (body["entered"], body["refused"]) == (6, {"re_entry": 3})
    assert body["steps"]["welcome"]["entered"] == 6
    assert body["steps"]["pause"]["waiting"] == 4
    assert body["templates"] == {"welcome": {"queued": 6}} and body["variants"] == {}


def test_counters_of_no_workflow_are_404(reader):
    response = reader.get("/api/v1/workflows/nobody/counters")
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"


def test_counters_need_their_scope(lived):
    assert Api(make_key("contacts:read")).get(f"/api/v1/workflows/{lived.slug}/counters").status_code == 403
