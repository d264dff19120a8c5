"""Scores, their versions and the editor of drafts in the admin."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.urls import reverse

from contacts import transactions
from scoring.models import Ruleset
from scoring.rulesets import parsing, starters, versions

ASKED = {"name": "Asked", "signal": {"event": "asked"}, "points": 10}


@pytest.fixture
def active(town) -> Ruleset:
    return Ruleset.objects.get(state="active")


@pytest.fixture
def draft(active) -> Ruleset:
    return Ruleset.objects.get(pk=transactions.run(lambda now: versions.draft_from(active.pk, now=now, by="ben")))


def at(deed: str, ruleset: Ruleset | None = None) -> str:
    return reverse(f"admin:scoring_ruleset_{deed}", args=[ruleset.pk] if ruleset else [])


def ask(client, deed: str, ruleset: Ruleset, body: Any) -> Any:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(at(deed, ruleset), sent, content_type="application/json")


def test_all_scores_are_listed_with_what_holds_and_what_is_being_written(maya, active, draft):
    transactions.run(lambda now: versions.activate(rules=[ASKED], name="fit", title="Fit to us", now=now, by="maya"))
    page = maya.get(at("changelist")).content.decode()
    for words in ("Fit to us", "4 rules, threshold 60", "begun from v1, last saved by ben", "go on editing"):
        assert words in page


def test_a_version_is_told_in_sentences_with_its_curves(maya, active):
    page = maya.get(at("change", active)).content.decode()
    assert "“order_completed” happened (where its total is at least 20), each time; halves every 30 days" in page
    assert "job_title contains “Director”" in page and "while it is true" in page
    assert page.count('class="rs-curve-line"') == 2
    assert "below 54" in page and "crossings were told" in page


def test_two_versions_are_compared(maya, active, draft):
    transactions.run(lambda now: versions.change_draft(draft.pk, {"rules": [ASKED]}))
    page = maya.get(f"{at('compare')}?from={active.pk}&to={draft.pk}").content.decode()
    assert "+10 when “asked” happened, each time" in page and ">Gone<" in page and ">New<" in page
    other = transactions.run(lambda now: versions.activate(rules=[], name="fit", now=now))
    for query in (
        f"from={active.pk}&to={other}",
        f"from={active.pk}",
        "from=x&to=y",
        f"from={active.pk}&to={'9' * 30}",
    ):
        assert maya.get(f"{at('compare')}?{query}").status_code == 404


@pytest.mark.parametrize("key", starters.BY_KEY)
def test_a_new_score_begins_with_rules_that_are_valid(maya, town, key):
    answer = maya.post(at("add"), {"begin": key, "name": "Web interest"})
    made = Ruleset.objects.get(state="draft")
    assert answer["Location"] == at("change", made)
    assert (made.name, made.created_by) == ("web-interest", "maya")
    written = starters.BY_KEY[key].begin("lead")
    assert versions.as_written(made)["rules"] == versions.spelled(parsing.parse_ruleset(written))["rules"]


def test_an_older_version_is_brought_back_as_a_draft_and_discarded(maya, active):
    transactions.run(lambda now: versions.activate(rules=[ASKED], now=now))
    answer = maya.post(at("draft", active))
    made = Ruleset.objects.get(state="draft")
    assert answer["Location"] == at("change", made)
    assert (made.based_on, made.created_by, made.rules.count()) == (1, "maya", 4)
    maya.post(at("discard", made))
    assert not Ruleset.objects.filter(state="draft").exists()
    assert "not a draft any more" in maya.post(at("discard", active), follow=True).content.decode()


def test_a_draft_is_saved_and_whoever_saved_meanwhile_is_not_written_over(maya, draft):
    written = versions.as_written(draft)
    saved = ask(maya, "save", draft, {"draft": {**written, "title": "Intent"}, "edits": 0})
    assert saved.json() == {"edits": 1}
    late = ask(maya, "save", draft, {"draft": {"rules": [ASKED], "parts": None}, "edits": 0})
    assert late.status_code == 409
    conflict = late.json()["conflict"]
    assert (conflict["edits"], conflict["by"], conflict["draft"]["title"]) == (1, "maya", "Intent")
    assert {"kind": "setting", "word": "Setting", "what": "Title", "sentences": ["Intent → none"]} in conflict[
        "changes"
    ]
    assert ask(maya, "save", draft, {"draft": {"rules": [ASKED]}, "edits": 1}).json() == {"edits": 2}


def test_a_draft_with_mistakes_is_not_saved_and_each_place_is_named(maya, draft):
    wrong = {"rules": [{**ASKED, "points": "many", "decay": {"type": "linear", "period": "soon"}}], "cap": 0}
    answer = ask(maya, "save", draft, {"draft": wrong, "edits": 0})
    assert answer.status_code == 400
    assert [each["path"] for each in answer.json()["problems"]] == ["cap", "rules[0].points", "rules[0].decay.period"]
    assert draft.rules.count() == 4


def test_rules_are_told_while_they_are_unfinished(maya, draft):
    rules = [
        {**ASKED, "decay": {"type": "half_life", "period": "P14D"}, "repeat": {"policy": "once_per", "period": "P1D"}},
        {"name": "", "signal": {"event": ""}, "points": None, "decay": {"type": "half_life", "period": ""}},
        {"signal": {"field": "", "op": "eq"}, "points": 1e30, "cap": "x"},
        "nonsense",
    ]
    said = ask(maya, "check", draft, {"draft": {"rules": rules}, "contacts": None}).json()
    first, *others = said["rules"]
    assert first["sentence"] == "“asked” happened, each time"
    assert first["notes"] == ["halves every 14 days", "at most once a day"]
    assert first["curve"]["readings"][2] == {"at": "14 days", "share": 0.5, "points": "+5"}
    assert [each["sentence"] for each in others] == ["", "", ""] and len(others) == 3
    assert said["effect"] is None and said["saved"] == {"edits": 0, "by": "ben", "state": "draft"}
    assert {"rules[1].signal.event", "rules[3]"} <= {each["path"] for each in said["problems"]}


def test_the_effect_is_shown_on_contacts_that_tell_something_and_on_those_who_are_chosen(maya, town, draft):
    written = versions.as_written(draft)
    effect = ask(maya, "check", draft, {"draft": written}).json()["effect"]
    assert len(effect["rows"]) == 10 and effect["threshold"] == 60
    assert all(row["before"] == row["after"] and row["crosses"] == "" for row in effect["rows"])
    more = {**written, "rules": [*written["rules"], {"name": "All", "signal": {"all": []}, "points": 100}]}
    (row,) = ask(maya, "check", draft, {"draft": more, "contacts": [town.ana.pk]}).json()["effect"]["rows"]
    assert row["after"] == pytest.approx(row["before"] + 100, abs=1e-3)
    assert (row["contact_id"], row["crosses"], row["name"]) == (town.ana.pk, "up", "Ana Ruiz")
    told = ask(maya, "explain", draft, {"draft": more, "contact": town.ana.pk}).json()["rules"]
    assert {"name": "All", "before": 0.0, "after": 100.0, "events": 0} in told


def test_contacts_are_found_by_how_they_begin(maya, town):
    found = maya.get(at("contacts"), {"q": "ana.ruiz0"}).json()["contacts"]
    assert [each["id"] for each in found] == [town.ana.pk]
    assert maya.get(at("contacts"), {"q": "\x00"}).json() == {"contacts": []}


def test_what_activating_would_do_is_counted_and_told_before(maya, active, draft):
    everybody = {"name": "All", "signal": {"all": []}, "points": 100}
    transactions.run(lambda now: versions.change_draft(draft.pk, {"rules": [everybody], "mql_threshold": 80}))
    said = ask(maya, "consequences", draft, {}).json()
    assert said["words"] == "Under this version 24 contacts would rise to 80 or above, and 0 would fall."
    assert said["against"] == "lead v1" and said["note"] == ""
    assert [each["kind"] for each in said["changes"]] == ["setting", "added", *["removed"] * 4]
    transactions.run(lambda now: versions.activate(rules=[ASKED], now=now))
    note = ask(maya, "consequences", draft, {}).json()["note"]
    assert note.startswith("This draft began from v1, and v3 became active since.")


def test_a_draft_is_activated_as_it_was_looked_at(maya, active, draft):
    transactions.run(lambda now: versions.change_draft(draft.pk, {"rules": [ASKED]}))
    stale = ask(maya, "activate", draft, {"edits": 0, "on_activation": "emit"})
    assert stale.status_code == 409 and "Nothing was activated" in stale.json()["stale"]
    assert ask(maya, "activate", draft, {"edits": 1, "on_activation": "loud"}).status_code == 400
    done = ask(maya, "activate", draft, {"edits": 1, "on_activation": "rebase"})
    assert done.json() == {"url": at("change", draft)}
    draft.refresh_from_db()
    assert (draft.state, draft.activated_by, draft.on_activation) == ("active", "maya", "rebase")
    assert ask(maya, "save", draft, {"draft": {"rules": []}, "edits": 1}).status_code == 410


NONSENSE = [
    b"", b"{", b"[]", b'"x"', b"\xff\xfe", b'{"draft": 5}', b'{"draft": {"rules": {}}}', b'{"draft": {"rules": 5}}',
    b'{"edits": true}', b'{"draft": {"rules": []}, "contact": "1", "contacts": ["1"], "edits": -1}',
    b'{"draft": {"rules": [1, null, {"signal": [[]]}]}, "edits": 0, "on_activation": {}}',
]  # fmt: skip


def test_nonsense_is_answered_and_changes_nothing(maya, draft):
    for deed in ("save", "check", "explain", "activate"):
        for body in NONSENSE:
            assert ask(maya, deed, draft, body).status_code in ({200, 400} if deed == "check" else {400}), (deed, body)
    draft.refresh_from_db()
    assert (draft.state, draft.edits) == ("draft", 0)


def test_who_may_only_look_looks(staff, active, draft):
    client = staff("scoring.view_ruleset")
    for url in (at("changelist"), at("change", active), f"{at('compare')}?from={active.pk}&to={draft.pk}"):
        assert client.get(url).status_code == 200
    shown = client.get(at("change", draft)).content.decode()
    assert "A draft, last saved by ben: it counts for nobody yet." in shown and "rules-editor" not in shown
    assert client.get(at("add")).status_code == client.get(at("contacts")).status_code == 403
    for deed in ("draft", "discard", "save", "check", "explain", "consequences", "activate"):
        assert ask(client, deed, draft, {}).status_code == 403, deed
    assert Ruleset.objects.filter(state="draft").count() == 1


def test_who_writes_rules_but_may_not_see_contacts_sees_none(staff, draft):
    client = staff("scoring.view_ruleset", "scoring.change_ruleset")
    page = client.get(at("change", draft)).content.decode()
    assert "You may not see contacts" in page
    assert ask(client, "check", draft, {"draft": versions.as_written(draft)}).json()["effect"] is None
    assert ask(client, "explain", draft, {}).status_code == client.get(at("contacts")).status_code == 403


def test_no_deed_is_done_by_looking(maya, draft):
    for deed in ("draft", "discard", "save", "check", "explain", "consequences", "activate"):
        assert maya.get(at(deed, draft)).status_code == 403, deed
    assert maya.get(at("change", Ruleset(pk=999999))).status_code == 404
