"""Drafts, versions and single rules over HTTP."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from django.db import connection

from scoring.models import Ruleset, ScoringRule
from scoring.rulesets import versions
from tests.contacts.conftest import Api, make_key
from tests.scoring.conftest import rule

RULESETS = "/api/v1/scoring/rulesets"
RULES = "/api/v1/scoring/rules"
pytestmark = pytest.mark.django_db


class Admin:
    """Sends JSON as somebody who may everything."""

    def __init__(self, *scopes: str) -> None:
        self.api = Api(make_key(*(scopes or ("admin", "contacts:read"))))

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.api.call(method, path, sent, **headers)


@pytest.fixture
def admin(db) -> Admin:
    return Admin()


@pytest.fixture
def draft(admin) -> dict:
    return admin("POST", RULESETS, {"state": "draft", "rules": [rule("asked", 5)]}).json()


SETTINGS = {
    "title": "Intent",
    "mql_threshold": 50.0,
    "cap": 200.0,
    "groups": [{"name": "Mail", "cap": 20.0}],
    "parts": {"fit": 0.5},
    "hysteresis": 0.2,
    "rearm_after": "P7D",
    "on_activation": "rebase",
}
WHOLE_RULE = {
    "name": "Opened",
    "signal": {"event": "email_opened", "within": "P90D"},
    "points": 3.0,
    "decay": {"type": "step", "period": "P30D"},
    "cap": 12.0,
    "group": "Mail",
    "repeat": {"policy": "once_per", "period": "P1D"},
    "human_only": False,
}


def test_a_draft_takes_every_setting_and_gives_it_back(admin):
    made = admin("POST", f"{RULESETS}/", {"state": "draft", "name": "intent", **SETTINGS, "rules": [WHOLE_RULE]})
    assert made.status_code == 201
    shown = admin("GET", f"{RULESETS}/{made.json()['id']}/").json()
    assert shown == made.json()
    assert (shown["name"], shown["version"], shown["state"], shown["activated_at"]) == ("intent", 1, "draft", None)
    assert {key: shown[key] for key in SETTINGS} == SETTINGS
    assert shown["rules"] == [WHOLE_RULE]
    assert shown["created_by"] == "key test"


def test_a_draft_is_written_anew_only_from_what_was_read(admin, draft):
    path = f"{RULESETS}/{draft['id']}"
    first = admin("GET", path)
    assert first["ETag"].startswith('"0-')
    assert admin("GET", path, **{"If-None-Match": first["ETag"]}).status_code == 304
    body = {"rules": [rule("asked", 7), rule("left", -2)], "mql_threshold": 40}
    changed = admin("PUT", path, body, **{"If-Match": first["ETag"]})
    assert (changed.status_code, changed["ETag"][:3], changed.json()["edits"]) == (200, '"1-', 1)
    assert admin("GET", path, **{"If-None-Match": first["ETag"]}).status_code == 200
    assert admin("GET", path, **{"If-None-Match": changed["ETag"]}).status_code == 304
    assert admin("PUT", path, {"rules": []}, **{"If-Match": first["ETag"]}).status_code == 412
    stale = admin("PUT", path, {"rules": []}, **{"If-Match": '"0"'})
    assert stale.status_code == 412
    assert stale["Content-Type"] == "application/problem+json"
    assert admin("PUT", path, {"rules": []}, **{"If-Match": "nonsense"}).status_code == 412
    assert admin("DELETE", path, **{"If-Match": '"0"'}).status_code == 412
    assert admin("POST", f"{path}/activate", **{"If-Match": '"0"'}).status_code == 412
    assert [each["points"] for each in admin("GET", path).json()["rules"]] == [7.0, -2.0]
    assert admin("PUT", path, {"rules": []}).json()["edits"] == 2  # who does not ask writes over it


def test_a_draft_becomes_active_and_is_then_for_ever_as_it_is(admin, draft, activated):
    before = activated(rule("asked", 1))
    path = f"{RULESETS}/{draft['id']}"
    done = admin("POST", f"{path}/activate/", {"on_activation": "rebase"})
    assert (done.status_code, done.json()["state"], done.json()["on_activation"]) == (200, "active", "rebase")
    assert done.json()["activated_by"] == "key test"
    assert Ruleset.objects.get(pk=before).state == "retired"
    for method, where in (("PUT", path), ("DELETE", path), ("POST", f"{path}/activate")):
        assert admin(method, where, {"rules": []} if method == "PUT" else None).status_code == 409


def test_an_older_version_is_brought_back_as_a_draft(admin, activated):
    old = activated(rule("asked", 1), title="First", cap=9)
    activated(rule("asked", 2))
    made = admin("POST", f"{RULESETS}/{old}/draft")
    assert made.status_code == 201
    shown = made.json()
    assert (shown["state"], shown["based_on"], shown["title"], shown["cap"]) == ("draft", 1, "First", 9.0)
    assert [each["points"] for each in shown["rules"]] == [1.0]


def test_a_discarded_draft_is_gone(admin, draft):
    assert admin("DELETE", f"{RULESETS}/{draft['id']}").status_code == 204
    assert admin("GET", f"{RULESETS}/{draft['id']}").status_code == 404
    assert not ScoringRule.objects.exists()


def test_what_differs_is_told_rule_by_rule(admin, draft, activated):
    alone = admin("GET", f"{RULESETS}/{draft['id']}/diff").json()
    assert alone["against"] is None
    assert [(each["kind"], each["what"]) for each in alone["changes"]] == [("added", "asked +5")]
    active = activated({**rule("asked", 5), "points": 10})
    found = admin("GET", f"{RULESETS}/{draft['id']}/diff/").json()
    assert (found["against"]["id"], found["ruleset"]["id"]) == (active, draft["id"])
    assert found["changes"] == [{"kind": "changed", "what": "asked +5", "sentences": ["points: +10 → +5"]}]
    back = admin("GET", f"{RULESETS}/{active}/diff?against={draft['id']}").json()
    assert back["changes"][0]["sentences"] == ["points: +5 → +10"]


@pytest.mark.parametrize(("against", "status"), [("x", 400), ("999999", 404), ("9" * 19, 400), ("1.5", 400)])
def test_nonsense_to_compare_with_is_refused(admin, draft, against, status):
    assert admin("GET", f"{RULESETS}/{draft['id']}/diff?against={against}").status_code == status


@pytest.mark.parametrize("path", ["/999999", "/99999999999999999999", "/0/diff", "/123456/draft", "/123456/activate"])
def test_versions_that_are_not_there_are_not_found(admin, path):
    method = "POST" if path.endswith(("draft", "activate")) else "GET"
    assert admin(method, f"{RULESETS}{path}").status_code == 404


@pytest.mark.parametrize(
    ("body", "locs"),
    [
        ({"rules": [], "state": "live"}, [["state"]]),
        ({"rules": [], "hysteresis": 1}, [["hysteresis"]]),
        ({"rules": [], "groups": [{"name": "a"}]}, [["groups", 0]]),
        ({"rules": [], "parts": {"lead": 1}}, [["parts", "lead"]]),
        ({"rules": [rule("a", 1, group="gone")]}, [["rules", 0, "group"]]),
        ({"rules": [rule("a", 1, repeat={"policy": "once_per"})]}, [["rules", 0, "repeat", "period"]]),
        ([], None),
        ("x", None),
        (b"{", None),
        (b"\xff", None),
        (b'{"rules": [{"name": "a\\u0000"}]}', None),
        ({"rules": 1e400}, None),
    ],
)
def test_what_is_wrong_is_said_with_its_place(admin, draft, body, locs):
    for method, path in (("POST", RULESETS), ("PUT", f"{RULESETS}/{draft['id']}")):
        answer = admin(method, path, body)
        assert answer.status_code == 400
        assert answer["Content-Type"] == "application/problem+json"
        if locs is not None:
            assert [error["loc"] for error in answer.json()["errors"]] == locs
    assert Ruleset.objects.count() == 1


def test_a_draft_keeps_the_name_of_its_score(admin, draft):
    answer = admin("PUT", f"{RULESETS}/{draft['id']}", {"name": "fit", "rules": []})
    assert answer.json()["errors"][0]["loc"] == ["name"]


@pytest.mark.parametrize("body", [{"on_activation": "loud"}, {"on_activation": ["emit"]}, {"rules": []}, ["emit"]])
def test_an_activation_that_is_not_understood_activates_nothing(admin, draft, body):
    assert admin("POST", f"{RULESETS}/{draft['id']}/activate", body).status_code == 400
    assert Ruleset.objects.get().state == "draft"


# -- single rules -----------------------------------------------------------------------------------------------------


def test_a_rule_is_added_and_replaced_by_its_name(admin):
    first = admin("POST", f"{RULES}/", rule("asked", 5, decay={"type": "half_life", "period": "P14D"}))
    assert first.status_code == 201
    assert first.json() == {
        "ruleset": "lead v1", "name": "asked +5", "signal": {"event": "asked"}, "points": 5.0,
        "decay": {"type": "half_life", "period": "P14D"}, "cap": None, "group": "", "repeat": {}, "human_only": True,
        "sentence": "“asked” happened, each time",
    }  # fmt: skip
    admin("POST", RULES, rule("left", -3))
    again = admin("POST", RULES, {**rule("asked", 5), "points": 8})
    assert again.json()["ruleset"] == "lead v3"
    listed = admin("GET", RULES).json()["results"]
    assert [(each["name"], each["points"]) for each in listed] == [("asked +5", 8.0), ("left -3", -3.0)]
    assert Ruleset.objects.get(state="active").based_on == 2


def test_a_rule_keeps_what_the_version_before_says_beside_it(admin, activated):
    activated(rule("asked", 5, group="Mail"), mql_threshold=30, groups=[{"name": "Mail", "cap": 9}], rearm_after="P1D")
    admin("POST", RULES, rule("left", -3, group="Mail"))
    now = Ruleset.objects.get(state="active")
    assert (now.mql_threshold, now.groups, now.rearm_after) == (30, [{"name": "Mail", "cap": 9}], "P1D")


def test_a_rule_goes_to_the_score_that_is_named(admin):
    assert admin("POST", f"{RULES}?ruleset=fit", rule("asked", 5)).json()["ruleset"] == "fit v1"
    assert not Ruleset.objects.filter(name="lead").exists()
    for name in ("two%20words", "%00", "x" * 61):
        refused = admin("POST", f"{RULES}?ruleset={name}", rule("asked", 5))
        assert refused.status_code == 400 and refused.json()["errors"][0]["loc"] == ["ruleset"]


def test_the_rules_of_one_score_are_listed_alone(admin):
    for name in ("fit", "lead"):
        admin("POST", f"{RULES}?ruleset={name}", rule("asked", 5))
    for query, said in (("", ["fit v1", "lead v1"]), ("?ruleset=fit", ["fit v1"]), ("/?ruleset=gone", [])):
        assert [each["ruleset"] for each in admin("GET", f"{RULES}{query}").json()["results"]] == said
    assert admin("GET", f"{RULES}?ruleset=%00").json()["errors"][0]["loc"] == ["ruleset"]


@pytest.mark.parametrize(
    ("body", "locs"),
    [
        ({"name": "a", "signal": {"event": "e"}, "points": "x"}, [["points"]]),
        ({"name": "a", "signal": {"event": "e"}, "points": 1, "group": "gone"}, [["group"]]),
        ({"name": "", "signal": {"field": "plan", "op": "like"}, "points": 1}, [["name"], ["signal", "op"]]),
        ({"name": "a", "signal": {"event": "e"}, "points": 1, "worth": 1}, [["worth"]]),
        ({}, [["name"], ["points"], ["signal"]]),
    ],
)
def test_the_places_of_a_rule_begin_at_the_rule(admin, activated, body, locs):
    activated(rule("asked", 1))
    answer = admin("POST", RULES, body)
    assert answer.status_code == 400
    assert sorted(error["loc"] for error in answer.json()["errors"]) == locs
    assert Ruleset.objects.get(state="active").version == 1


def test_a_rule_is_dropped_by_its_name(admin, activated):
    activated(rule("asked", 5), rule("left", -3))
    assert admin("DELETE", f"{RULES}?name=asked%20%2B5").status_code == 204
    assert [each["name"] for each in admin("GET", RULES).json()["results"]] == ["left -3"]
    assert admin("DELETE", f"{RULES}?name=asked%20%2B5").status_code == 404
    assert admin("DELETE", RULES).status_code == 400
    assert Ruleset.objects.get(state="active").version == 2


@pytest.mark.django_db(transaction=True)
def test_no_rule_is_lost_when_several_are_put_at_once(now):
    def work(number: int) -> None:
        try:
            versions.put_rule(rule(f"e{number}", number), now=now)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[number]) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = set(ScoringRule.objects.filter(ruleset__state="active").values_list("name", flat=True))
    assert names == {"e1 +1", "e2 +2", "e3 +3", "e4 +4"}


def test_readers_read_and_only_the_admin_scope_writes(draft):
    reader = Admin("contacts:read")
    path = f"{RULESETS}/{draft['id']}"
    assert reader("GET", path).status_code == reader("GET", f"{path}/diff").status_code == 200
    writes = [
        ("PUT", path), ("DELETE", path), ("POST", f"{path}/activate"), ("POST", f"{path}/draft"), ("POST", RULES),
        ("DELETE", f"{RULES}?name=x"),
    ]  # fmt: skip
    for method, where in writes:
        assert reader(method, where, {}).status_code == 403, where
    assert Admin("workflows:read")("GET", path).status_code == 403
