"""Who has most: the same as sorting everybody, whatever the first look says."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.audiences import filling, segments
from contacts.conditions import parse
from contacts.models import Contact
from contacts.patience import TookTooLong
from scoring.lifecycle import stages
from scoring.projection import leaderboard, scores
from tests.contacts.conftest import Api, make_key
from tests.scoring import chance
from tests.scoring.chance import NOW
from tests.scoring.conftest import rule, write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/scoring/leaderboard"
PRO = {"field": "plan", "op": "eq", "value": "pro"}


@pytest.fixture
def reader(db) -> Api:
    return Api(make_key("contacts:read"))


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(
    written=chance.combined,
    others=st.tuples(chance.rulesets, chance.rulesets),
    lives=st.lists(chance.lives, min_size=1, max_size=5),
    limit=st.integers(1, 3),
    first=st.integers(1, 4),
    among=st.booleans(),
)
def test_the_first_are_those_whom_sorting_puts_first(person, written, others, lives, limit, first, among):
    """`first`: so few ceilings are looked into that the first look often has to give up."""
    chance.activate(written, others, now=NOW)
    for history, attributes in lives:
        write_history(person(attributes=attributes), history)
    chosen = Contact.objects.filter(attributes__plan="pro") if among else Contact.objects.all()
    each = scores.of(contact_ids=list(chosen.values_list("pk", flat=True)), at=NOW)
    patched = pytest.MonkeyPatch()
    with patched.context() as patch:
        patch.setattr(leaderboard, "LOOKS", (first,))
        patch.setattr(leaderboard, "FEW", 1)
        found = leaderboard.top(at=NOW, limit=limit, among=parse(PRO) if among else None)
    assert dict(found) == pytest.approx({row.contact_id: each[row.contact_id] for row in found}, abs=2e-6)
    best = sorted(each.values(), reverse=True)[:limit]
    assert [row.score for row in found] == pytest.approx(best, abs=2e-6)


def test_equals_stand_in_the_order_of_their_ids(person, activated, now):
    activated(rule("visited", 5))
    people = [person() for _ in range(4)]
    for contact_id in reversed(people):
        write_history(contact_id, [Happened("visited", now)])
    assert [row.contact_id for row in leaderboard.top(at=now, limit=3)] == people[:3]


def test_who_only_is_something_may_be_first(person, activated, now):
    activated(rule("visited", 5), {"name": "pro", "signal": PRO, "points": 7})
    busy, pro = person(), person(attributes={"plan": "pro"})
    write_history(busy, [Happened("visited", now)])
    assert leaderboard.top(at=now, limit=1) == ((pro, 7.0),)
    assert leaderboard.top(at=now, limit=10) == ((pro, 7.0), (busy, 5.0))


def test_without_rules_nobody_is_first(person, now):
    person()
    assert leaderboard.top(at=now) == ()
    assert leaderboard.distribution(at=now) is None


def test_the_spread_counts_everybody_once(person, activated, now):
    activated(rule("visited", 10), rule("left", -15), mql_threshold=20)
    for visits, left in ((0, 0), (1, 0), (2, 0), (3, 0), (3, 0), (0, 1)):
        write_history(person(), [*[Happened("visited", now)] * visits, *[Happened("left", now)] * left])
    found = leaderboard.distribution(at=now)
    assert (found.contacts, found.qualified, found.threshold) == (6, 3, 20)
    held = {band.low: band.contacts for band in found.bands if band.contacts}
    assert sum(held.values()) == 6
    assert len(found.bands) <= leaderboard.BANDS
    for before, after in zip(found.bands, found.bands[1:], strict=False):
        assert before.high == after.low
    assert found.bands[0].low <= -15 < found.bands[0].high
    assert found.bands[-1].low <= 30 < found.bands[-1].high


def test_the_bands_stay_few_however_wide_the_spread(person, activated, now):
    activated(rule("visited", 900_000), rule("left", -900_000), mql_threshold=1)
    write_history(person(), [Happened("visited", now)])
    write_history(person(), [Happened("left", now)])
    found = leaderboard.distribution(at=now)
    assert 2 <= len(found.bands) <= leaderboard.BANDS
    assert sum(band.contacts for band in found.bands) == 2


# -- over HTTP ---------------------------------------------------------------------------------------------------------


def test_the_board_over_http(reader, person, activated, now):
    activated(rule("visited", 5, decay={"type": "half_life", "period": "P10D"}))
    first, second = person(external_id="first", email="first@example.com"), person(external_id="second")
    write_history(first, [Happened("visited", now)] * 2)
    write_history(second, [Happened("visited", now)])
    stages.move(contact_ids=[first], to_stage="mql", reason="by hand", source="api", now=now)
    then = now + timedelta(days=10)
    for address in (ADDRESS, f"{ADDRESS}/"):
        answer = reader.get(address, at=then.isoformat())
        assert answer.status_code == 200
    assert answer.json() == {
        "results": [
            {
                "rank": 1,
                "contact": {
                    "id": str(Contact.objects.get(pk=first).public_id),
                    "email": "first@example.com",
                    "external_id": "first",
                },
                "score": 5.0,
                "stage": "mql",
            },
            {
                "rank": 2,
                "contact": {
                    "id": str(Contact.objects.get(pk=second).public_id),
                    "email": "",
                    "external_id": "second",
                },
                "score": 2.5,
                "stage": None,
            },
        ],
        "next": None,
        "previous": None,
        "at": "2026-03-14T12:00:00Z",
        "ruleset": "lead v1",
    }


def test_the_board_of_a_stage_and_of_a_segment(reader, person, activated, now):
    activated(rule("visited", 5))
    people = [person(external_id=name, attributes={"plan": name}) for name in ("pro", "free")]
    for contact_id in people:
        write_history(contact_id, [Happened("visited", now)])
    stages.move(contact_ids=people[1:], to_stage="sql", reason="by hand", source="api", now=now)
    segments.create(slug="paying", name="Paying", description="", condition=PRO, now=now)
    while filling.fill_batch(now):
        pass
    names = lambda **asked: [row["contact"]["external_id"] for row in reader.get(ADDRESS, **asked).json()["results"]]  # noqa: E731
    assert names(stage="sql") == ["free"]
    assert names(segment="paying") == ["pro"]
    assert names(segment="paying", stage="sql") == []


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"limit": "1" * 400}, "limit"),
        ({"limit": "²"}, "limit"),
        ({"at": "yesterday"}, "at"),
        ({"segment": "nobody"}, "segment"),
        ({"segment": "a\x00b"}, "segment"),
        ({"stage": "friend"}, "stage"),
        ({"name": "nothing"}, "name"),
    ],
)
def test_what_cannot_be_asked_is_named(reader, activated, asked, place):
    activated(rule("visited", 5))
    answer = reader.get(ADDRESS, **asked)
    assert answer.status_code == 400
    assert [error["loc"] for error in answer.json()["errors"]] == [[place]]


def test_the_board_of_a_score_without_rules_is_empty(reader, person):
    person()
    body = reader.get(ADDRESS).json()
    assert (body["results"], body["ruleset"]) == ([], "")


def test_who_may_not_read_contacts_sees_no_board(db):
    assert Api(make_key("events:write")).get(ADDRESS).status_code == 403


def test_an_answer_that_takes_too_long_says_so(reader, activated, monkeypatch):
    activated(rule("visited", 5))

    def too_long(**asked):
        raise TookTooLong

    monkeypatch.setattr(leaderboard, "top", too_long)
    answer = reader.get(ADDRESS)
    assert answer.status_code == 503
    assert "segment" in json.loads(answer.content)["detail"]
