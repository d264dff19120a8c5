"""Scores, lifecycle and rules over HTTP."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from contacts import clock
from contacts.models import Contact
from scoring.lifecycle import stages
from scoring.models import Ruleset
from tests.contacts.conftest import Api, make_key
from tests.scoring.conftest import rule, write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db

RULESETS = "/api/v1/scoring/rulesets/"


@pytest.fixture
def reader(db) -> Api:
    return Api(make_key("contacts:read"))


@pytest.fixture
def ada(person) -> Contact:
    return Contact.objects.get(pk=person(external_id="ada", attributes={"job_title": "Director"}))


def ask(api: Api, contact: Contact, what: str, **query: str) -> Any:
    return api.get(f"/api/v1/contacts/{contact.public_id}/{what}", **query)


def activate(body: Any, *scopes: str) -> Any:
    return Api(make_key(*(scopes or ("admin",)))).post_bytes(json.dumps(body).encode(), RULESETS)


def test_a_score_is_taken_apart_at_any_instant(reader, ada, activated, now):
    activated(
        rule("visited", 40, decay={"type": "half_life", "period": "P10D"}),
        {"name": "title", "signal": {"field": "job_title", "op": "contains", "value": "Director"}, "points": 20},
    )
    write_history(ada.pk, [Happened("visited", now)])
    then = now + timedelta(days=10)
    body = ask(reader, ada, "score", at=then.isoformat()).json()
    assert (body["score"], body["at"], body["ruleset"]) == (40.0, "2026-03-14T12:00:00Z", "lead v1")
    assert set(body) == {"score", "at", "ruleset", "rules", "adjustments", "threshold", "outlook"}
    visited, title = body["rules"]
    assert (visited["name"], visited["raw"], visited["points"], visited["event_count"]) == (
        "visited +40",
        40.0,
        20.0,
        1,
    )
    assert visited["events"][0]["occurred_at"] == "2026-03-04T12:00:00Z"
    assert (title["points"], title["sentence"]) == (20.0, "job_title contains “Director”")
    assert ask(reader, ada, "score/", at="2026-03-04T12:00:00Z").json()["score"] == 60.0
    assert ask(reader, ada, "score", at="2026-03-04T12:00:00 00:00").json()["score"] == 60.0  # a + that was not escaped
    assert ask(reader, ada, "score", at="2026-03-03T12:00:00Z").json()["score"] == 20.0


def test_without_an_instant_the_score_is_of_now(reader, ada):
    before = clock.now()
    body = ask(reader, ada, "score").json()
    assert (body["score"], body["ruleset"], body["rules"]) == (0.0, "", [])
    assert body["at"] >= before.isoformat()[:19]


@pytest.mark.parametrize(
    "at", ["", "yesterday", "2026-03-04", "2026-03-04T12:00:00", "0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z"]
)
def test_what_is_no_instant_is_said(reader, ada, activated, at):
    activated({"name": "w", "signal": {"event": "e", "op": "gte", "count": 1, "within": "P30D"}, "points": 1})
    response = ask(reader, ada, "score", at=at)
    assert response.status_code == 400
    assert response.json()["errors"][0]["loc"] == ["at"]


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "2200-01-01T00:00:00Z"])
def test_the_farthest_instants_can_be_asked_for(reader, ada, activated, at):
    activated(
        {"name": "w", "signal": {"event": "e", "op": "gte", "count": 1, "within": "P3650D"}, "points": 1},
        rule("e", 5, decay={"type": "half_life", "period": "PT1S"}),
    )
    assert ask(reader, ada, "score", at=at).json()["score"] == 0.0


def test_a_lifecycle_is_its_moves(reader, ada, now):
    assert ask(reader, ada, "lifecycle").json() == {"stage": None, "label": None, "events": []}
    with transaction.atomic():
        for day, stage in enumerate(("lead", "mql")):
            stages.move(
                contact_ids=[ada.pk], to_stage=stage, reason="because", source="api", now=now + timedelta(days=day)
            )
    assert ask(reader, ada, "lifecycle/").json() == {
        "stage": "mql",
        "label": "MQL",
        "events": [
            {
                "from": "lead",
                "to": "mql",
                "reason": "because",
                "source": "api",
                "actor": "",
                "at": "2026-03-05T12:00:00Z",
            },
            {"from": "", "to": "lead", "reason": "because", "source": "api", "actor": "", "at": "2026-03-04T12:00:00Z"},
        ],
    }


def test_rules_become_active_by_being_sent(reader):
    rules = [{"name": "opened", "signal": {"event": "email_opened"}, "points": 5, "cap": 20}]
    first = activate({"rules": rules, "mql_threshold": 50})
    assert first.status_code == 201
    shown = first.json()
    assert (shown["name"], shown["version"], shown["state"], shown["mql_threshold"]) == ("lead", 1, "active", 50.0)
    plain = {"decay": {}, "group": "", "repeat": {}, "human_only": True}
    assert shown["rules"] == [{**rules[0], "points": 5.0, "cap": 20.0, **plain}]
    assert activate({"rules": [], "name": "fit"}).json()["mql_threshold"] == 60.0
    activate({"rules": rules})
    listed = reader.get(RULESETS).json()
    assert set(listed) == {"results", "next", "previous"}
    assert [(each["name"], each["version"], each["state"]) for each in listed["results"]] == [
        ("lead", 2, "active"), ("fit", 1, "active"), ("lead", 1, "retired"),
    ]  # fmt: skip
    assert len(reader.get(RULESETS, state="active", name="lead").json()["results"]) == 1


def test_the_active_rules_are_told_in_english(reader, activated):
    activated(
        rule("visited", 5, decay={"type": "half_life", "period": "P30D"}, cap=20),
        {"name": "twice", "signal": {"event": "visited", "op": "gte", "count": 2, "within": "P7D"}, "points": 3},
    )
    each, twice = reader.get("/api/v1/scoring/rules").json()["results"]
    assert each == {
        "ruleset": "lead v1",
        "name": "visited +5",
        "sentence": each["sentence"],
        "signal": {"event": "visited"},
        "points": 5.0,
        "decay": {"type": "half_life", "period": "P30D"},
        "cap": 20.0,
        "group": "",
        "repeat": {},
        "human_only": True,
    }
    assert "visited" in each["sentence"] and each["sentence"].endswith(", each time")
    assert "at least 2 times" in twice["sentence"] and "each time" not in twice["sentence"]


@pytest.mark.parametrize(
    ("body", "locs"),
    [
        ({}, [["rules"]]),
        ({"rules": "x"}, [["rules"]]),
        ({"rules": [], "threshold": 5, "name": "two words"}, [["threshold"], ["name"]]),
        ({"rules": [], "mql_threshold": 0}, [["mql_threshold"]]),
        (
            {"rules": [{"name": "a", "signal": {"event": "e"}, "points": 1}, {"name": "b", "points": "x", "signal": {
                "all": [{"field": "plan", "op": "like"}]}, "decay": {"type": "linear", "period": "soon"}}]},
            [["rules", 1, "points"], ["rules", 1, "decay", "period"], ["rules", 1, "signal", "all", 0, "op"]],
        ),
    ],
)  # fmt: skip
def test_rules_that_are_wrong_are_refused_with_every_place(body, locs):
    response = activate(body)
    assert response.status_code == 400
    assert [error["loc"] for error in response.json()["errors"]] == locs
    assert not Ruleset.objects.exists()


def test_only_who_may_everything_changes_the_rules(reader, ada):
    assert activate({"rules": []}, "contacts:write").status_code == 403
    assert activate([]).status_code == 400
    stranger = Api(make_key("workflows:read"))
    for path in (RULESETS, "/api/v1/scoring/rules/"):
        assert stranger.get(path).status_code == 403
    for what in ("score", "lifecycle"):
        assert ask(stranger, ada, what).status_code == 403
        once, gone = Contact.objects.create(merged_into=ada), Contact.objects.create(erased_at=clock.now())
        for contact in (once, gone):
            contact.refresh_from_db()
        assert ask(reader, once, what).json() == ask(reader, ada, what).json()  # an old id leads to who it became
        assert ask(reader, gone, what).status_code == 404
