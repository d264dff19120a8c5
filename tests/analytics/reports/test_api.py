"""Reports over HTTP."""

from __future__ import annotations

import pytest

from tests.contacts.conftest import Api, make_key


@pytest.fixture
def reader(db) -> Api:
    return Api(make_key("workflows:read"))


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_list_says_what_may_be_asked(reader, built, slash):
    body = reader.get(f"/api/v1/reports{slash}").json()
    assert body["as_of"]
    told = {each["slug"]: each for each in body["results"]}
    assert len(told) == 9
    keys = [each["key"] for each in told["attribution"]["filters"]]
    assert keys == ["model", "by", "kind", "currency", "months_from", "months_to"]
    assert told["cohorts"]["columns"][0] == {"key": "cohort", "label": "Cohort", "kind": "month", "about": ""}


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_answer_has_typed_values(reader, built, slash):
    body = reader.get(f"/api/v1/reports/revenue{slash}", currency="EUR").json()
    assert body["filters"] == {"currency": "EUR"}
    assert body["rows"][0] == {
        "begins": "2026-02-01", "currency": "EUR", "sales": 1, "amount": 900.0, "mean": 900.0, "so_far": 1000.5,
    }  # fmt: skip
    assert body["is_cut"] is False
    nothing = reader.get("/api/v1/reports/experiments").json()["rows"][1]
    assert (nothing["variant"], nothing["rate"], nothing["median_hours"]) == ("b", None, None)


@pytest.mark.parametrize(("kind", "begin"), [("csv", b"stage,ever"), ("parquet", b"PAR1")])
def test_the_same_as_a_file(reader, built, kind, begin):
    response = reader.get(f"/api/v1/reports/funnel.{kind}")
    assert response.status_code == 200
    assert response.headers["Content-Disposition"] == f'attachment; filename="funnel.{kind}"'
    assert b"".join(response.streaming_content).startswith(begin)


def test_what_cannot_be_asked_is_400_and_names_its_place(reader, built):
    for path in ("revenue", "revenue.csv"):
        response = reader.get(f"/api/v1/reports/{path}", step="hour", colour="red")
        assert response.status_code == 400
        assert response.headers["Content-Type"] == "application/problem+json"
        assert sorted(error["loc"] for error in response.json()["errors"]) == [["colour"], ["step"]]


@pytest.mark.parametrize("path", ["nothing", "nothing.csv", "funnel.xlsx", "funnel.csv.csv"])
def test_what_there_is_not_is_404(reader, built, path):
    response = reader.get(f"/api/v1/reports/{path}")
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"


def test_before_the_first_build_there_is_no_answer_yet(reader):
    response = reader.get("/api/v1/reports/funnel")
    assert response.status_code == 409
    assert response.json()["detail"] == "The warehouse has not been built yet."
    assert reader.get("/api/v1/reports").json()["as_of"] is None


def test_a_key_without_the_scope_is_refused(db):
    stranger = Api(make_key("events:write"))
    for path in ("/api/v1/reports", "/api/v1/reports/funnel", "/api/v1/reports/funnel.csv"):
        assert stranger.get(path).status_code == 403
