"""Back-tests over HTTP."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.test import Client

from contacts import clock
from scoring.models import Backtest
from tests.contacts.conftest import Api, make_key
from tests.scoring.backtests.conftest import work
from tests.scoring.conftest import rule, write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db
URL = "/api/v1/scoring/backtests"


def send(path: str, body: object = None, scope: str = "admin", **headers: str):
    api = Api(make_key(scope))
    return api.call("POST", path, b"" if body is None else json.dumps(body).encode(), **headers)


@pytest.fixture
def body(drafted):
    now = clock.now()
    return {
        "ruleset": drafted(rule("visited", 60)),
        "since": (now - timedelta(days=30)).isoformat(),
        "until": now.isoformat(),
        "conversion": {"event": "bought"},
    }


def test_it_is_asked_for_worked_off_and_read(body, person):
    now = clock.now()
    write_history(person(), [Happened("visited", now - timedelta(days=5)), Happened("bought", now - timedelta(days=1))])
    answer = send(URL, body)
    assert answer.status_code == 202, answer.content
    asked = answer.json()
    assert (asked["state"], asked["threshold"], asked["result"]) == ("queued", 60.0, None)
    assert asked["created_by"].startswith("key ")
    work(now=now)
    reader = Api(make_key("contacts:read"))
    for path in (f"{URL}/{asked['id']}", f"{URL}/{asked['id']}/"):
        found = reader.get(path).json()
        assert found["state"] == "finished"
        assert found["progress"] == {
            "contacts_done": 1, "contacts_total": 1, "contacts_looked_at": 1, "contacts_cut": 0,
        }  # fmt: skip
        assert found["result"]["tried"]["precision"] == {
            "hits": 1, "of": 1, "share": 1.0, "low": pytest.approx(0.2065, abs=1e-4), "high": 1.0,
        }  # fmt: skip
        assert found["result"]["lead_time"][1] == pytest.approx(4 * 86_400)
    listed = reader.get(URL, ruleset=str(body["ruleset"]), state="finished").json()
    assert set(listed) == {"results", "next", "previous"}
    assert [each["id"] for each in listed["results"]] == [asked["id"]]
    assert reader.get(URL, state="running").json()["results"] == []


def test_it_is_called_off_once(body):
    asked = send(URL, {**body, "threshold": 7.5}).json()
    assert asked["threshold"] == 7.5
    assert send(f"{URL}/{asked['id']}/cancel").json()["state"] == "cancelled"
    again = send(f"{URL}/{asked['id']}/cancel/")
    assert again.status_code == 409
    assert again["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("changes", "locs"),
    [
        ({"ruleset": 10**12}, [["ruleset"]]),
        ({"ruleset": "lead"}, [["ruleset"]]),
        ({"ruleset": True, "extra": 1}, [["extra"], ["ruleset"]]),
        ({"since": "yesterday", "until": None}, [["since"], ["until"]]),
        ({"since": "2200-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}, [["until"], ["until"]]),
        ({"threshold": "many"}, [["threshold"]]),
        ({"conversion": {"stage": "friend"}}, [["conversion", "stage"]]),
        ({"conversion": {"event": "bought", "where": {"field": "event.total", "op": "like"}}},
         [["conversion", "where", "op"]]),
        ({"conversion": None}, [["conversion"]]),
    ],
)  # fmt: skip
def test_what_cannot_be_tried_is_refused_with_every_place(body, changes, locs):
    answer = send(URL, {**body, **changes})
    assert answer.status_code == 400, answer.content
    assert [error["loc"] for error in answer.json()["errors"]] == locs
    assert not Backtest.objects.exists()


@pytest.mark.parametrize("raw", [b"", b"[]", b'"x"', b"{", b"\xff", b'{"ruleset": 1e999}'])
def test_what_is_no_object_is_refused(raw):
    assert Api(make_key("admin")).call("POST", URL, raw).status_code == 400


def test_nobody_asks_without_the_right(body):
    assert send(URL, body, "contacts:read").status_code == 403
    asked = send(URL, body).json()
    assert send(f"{URL}/{asked['id']}/cancel", scope="contacts:read").status_code == 403
    stranger = Api(make_key("workflows:read"))
    for path in (URL, f"{URL}/{asked['id']}"):
        assert stranger.get(path).status_code == 403
    assert Client().get(URL).status_code == 401
    for unknown in (asked["id"] + 1, 10**19):
        assert Api(make_key("contacts:read")).get(f"{URL}/{unknown}").status_code == 404


def test_the_addresses_are_described(client):
    paths = client.get("/api/v1/schema/?format=json").json()["paths"]
    assert {path for path in paths if "backtests" in path} == {
        "/api/v1/scoring/backtests/",
        "/api/v1/scoring/backtests/{id}/",
        "/api/v1/scoring/backtests/{id}/cancel/",
    }
