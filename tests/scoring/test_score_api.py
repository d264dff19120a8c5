"""A score over HTTP: its rows, its bounds, what lies ahead, and how it moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contacts import clock
from contacts.models import Contact
from scoring.rulesets import versions
from tests.contacts.conftest import Api, make_key
from tests.scoring.conftest import rule, write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def reader(db) -> Api:
    return Api(make_key("contacts:read"))


@pytest.fixture
def ada(person) -> Contact:
    return Contact.objects.get(pk=person(external_id="ada", attributes={"plan": "pro"}))


def ask(api: Api, contact: Contact, what: str, **query: str) -> Any:
    return api.get(f"/api/v1/contacts/{contact.public_id}/{what}", **query)


def refusal(api: Api, contact: Contact, what: str, **query: str) -> tuple[int, str, list[str]]:
    response = ask(api, contact, what, **query)
    return response.status_code, response["Content-Type"].split(";")[0], response.json()["errors"][0]["loc"]


def test_the_rows_and_the_adjustments_of_a_score_add_up(reader, ada, activated, now):
    activated(rule("opened", 9, group="Email"), rule("asked", 5), groups=[{"name": "Email", "cap": 20}])
    write_history(ada.pk, [Happened("opened", now - day * DAY) for day in range(4)] + [Happened("asked", now)])
    body = ask(reader, ada, "score", at=now.isoformat()).json()
    held = {"kind": "group_cap", "name": "Email", "part": "", "bound": 20.0, "points": -16.0}
    assert body["adjustments"] == [{**held, "text": "Email is held at 20"}]
    assert body["score"] == 25.0 == sum(row["points"] for row in body["rules"] + body["adjustments"])
    assert (body["threshold"], body["outlook"]) == (60.0, None)


def test_the_score_of_now_says_what_lies_ahead_if_nothing_happens(reader, ada, activated):
    before = clock.now()
    activated(rule("visited", 5), {"name": "w", "signal": {"event": "asked", "within": "P3D"}, "points": 70})
    write_history(ada.pk, [Happened("asked", before - DAY)])
    body = ask(reader, ada, "score").json()
    # nobody has looked at the crossing upwards yet: it comes first
    assert body["score"] == 70.0 and body["threshold"] == 60.0
    assert body["outlook"] == {"threshold": 60.0, "direction": "up", "certain": True, "at": body["outlook"]["at"]}
    assert ask(reader, ada, "score", at=body["at"]).json()["outlook"] is None


def test_another_score_may_be_asked_for_by_its_name(reader, ada, activated, now):
    activated(rule("opened", 9))
    activated({"name": "pro", "signal": {"field": "plan", "op": "eq", "value": "pro"}, "points": 40}, name="fit")
    body = ask(reader, ada, "score", name="fit").json()
    assert (body["score"], body["ruleset"], [row["name"] for row in body["rules"]]) == (40.0, "fit v1", ["pro"])
    assert ask(reader, ada, "score", name="lead").json()["score"] == 0.0


def test_a_draft_may_be_asked_for_by_its_id(reader, ada, activated, now):
    active = activated(rule("opened", 9))
    draft = versions.write_draft({"rules": [rule("opened", 30)]}, now=now)
    write_history(ada.pk, [Happened("opened", now)])
    for ruleset, score in ((active, 9.0), (draft, 30.0)):
        assert ask(reader, ada, "score", ruleset=str(ruleset), at=now.isoformat()).json()["score"] == score
        shown = ask(reader, ada, "score/history", ruleset=str(ruleset), until=(now + DAY).isoformat()).json()
        assert shown["points"][-1]["score"] == score
    assert ask(reader, ada, "score", ruleset=str(draft)).json()["outlook"] is None


@pytest.mark.parametrize("what", ["score", "score/history"])
def test_what_is_asked_for_and_is_not_there_is_said_by_its_place(reader, ada, activated, what):
    fit = activated(rule("opened", 9), name="fit")
    problem = "application/problem+json"
    assert refusal(reader, ada, what, name="nothing") == (400, problem, ["name"])
    for ruleset in ("x", "", "-1", "9" * 30, "999999", "١"):
        assert refusal(reader, ada, what, ruleset=ruleset) == (400, problem, ["ruleset"])
    assert refusal(reader, ada, what, ruleset=str(fit), name="lead") == (400, problem, ["ruleset"])


def test_a_history_is_the_score_at_many_instants(reader, ada, activated, now):
    activated(rule("visited", 16, decay={"type": "half_life", "period": "P1D"}))
    write_history(ada.pk, [Happened("visited", now)])
    body = ask(reader, ada, "score/history/", since=(now - DAY).isoformat(), until=(now + 2 * DAY).isoformat()).json()
    assert set(body) == {"ruleset", "threshold", "since", "until", "points"}
    assert (body["ruleset"], body["threshold"], body["since"]) == ("lead v1", 60.0, "2026-03-03T12:00:00Z")
    points = {point["at"]: point["score"] for point in body["points"]}
    assert (points["2026-03-04T12:00:00Z"], points["2026-03-06T12:00:00Z"]) == (16.0, 4.0)
    assert points["2026-03-04T11:59:59.999999Z"] == points["2026-03-03T12:00:00Z"] == 0.0
    assert list(points) == sorted(points, key=lambda at: datetime.fromisoformat(at).astimezone(UTC))


def test_a_history_is_of_the_last_ninety_days_unless_it_says_otherwise(reader, ada, activated):
    activated(rule("visited", 16))
    body = ask(reader, ada, "score/history").json()
    since, until = (datetime.fromisoformat(body[name]) for name in ("since", "until"))
    assert until - since == 90 * DAY
    assert [body["points"][place]["at"] for place in (0, -1)] == [body["since"], body["until"]]


def test_a_score_without_rules_has_no_history(reader, ada):
    body = ask(reader, ada, "score/history").json()
    assert (body["ruleset"], body["threshold"], body["points"]) == ("", None, [])


def test_a_history_needs_time_between_two_instants(reader, ada, activated, now):
    activated(rule("visited", 16))
    at = now.isoformat()
    assert refusal(reader, ada, "score/history", since=at, until=at)[::2] == (400, ["since"])
    assert refusal(reader, ada, "score/history", since="yesterday")[::2] == (400, ["since"])
    assert refusal(reader, ada, "score/history", until="2300-01-01T00:00:00Z")[::2] == (400, ["until"])
    whole = ask(reader, ada, "score/history", since="1970-01-01T00:00:00Z", until="2200-01-01T00:00:00Z")
    assert whole.status_code == 200


def test_a_history_is_for_those_who_may_read_contacts(ada):
    assert ask(Api(make_key("workflows:read")), ada, "score/history").status_code == 403
