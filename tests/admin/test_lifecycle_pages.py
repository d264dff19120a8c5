"""Lifecycle in the admin: moves by hand, the rules that move people, the funnel, and what the stages are called."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts import transactions
from scoring.lifecycle import catching_up, progression_rules, stages
from scoring.models import LifecycleEvent, ProgressionRule, StageLabel

RULES = "/admin/scoring/progressionrule/"
MOVES = "/admin/scoring/lifecycleevent/"
FUNNEL = f"{MOVES}funnel/"
NAMES = "/admin/scoring/stagelabel/"


def stage_of(contact_id: int) -> str:
    return stages.current_stages([contact_id]).get(contact_id, "")


def move_to(contact_id: int, stage: str) -> None:
    transactions.run(
        lambda now: stages.move(contact_ids=[contact_id], to_stage=stage, reason="asked", source="api", now=now)
    )


def rule_of(name: str, **cause: object) -> str:
    raw = {"name": name, "cause": cause, "from_stages": [""], "to_stage": "lead"}
    return transactions.run(lambda now: progression_rules.save(raw, by="staff:maya", now=now)).key


# -- by hand -----------------------------------------------------------------------------------------------------------


def test_a_stage_is_changed_on_the_contacts_page_with_a_reason_and_a_name(maya, town):
    page = reverse("admin:scoring_lifecycleevent_move", args=[town.ana.pk])
    assert page in maya.get(reverse("admin:contacts_contact_change", args=[town.ana.pk])).content.decode()
    assert b"Change the stage of" in maya.get(page).content
    answer = maya.post(page, {"to": "sql", "reason": " Met her at the fair "}, follow=True)
    assert "The stage is SQL now." in answer.content.decode()
    moved = LifecycleEvent.objects.latest("id")
    assert (moved.to_stage, moved.reason, moved.source, moved.actor) == (
        "sql",
        "Met her at the fair",
        "admin",
        "staff:maya",
    )
    assert "maya (hand)" in maya.get(MOVES).content.decode()


@pytest.mark.parametrize(
    "said",
    [{"to": "sql", "reason": " "}, {"to": "vip", "reason": "x"}, {"reason": "x"}, {"to": "sql", "reason": "\x00"}],
)
def test_a_move_without_a_reason_or_a_stage_is_not_made(maya, town, said):
    before = LifecycleEvent.objects.count()
    answer = maya.post(reverse("admin:scoring_lifecycleevent_move", args=[town.ana.pk]), said)
    assert answer.status_code == 200 and b"errorlist" in answer.content
    assert LifecycleEvent.objects.count() == before


def test_who_may_only_look_moves_nobody_and_changes_no_rule(staff, town):
    viewer = staff("contacts.view_contact", "scoring.view_lifecycleevent")
    move = reverse("admin:scoring_lifecycleevent_move", args=[town.ana.pk])
    assert viewer.get(move).status_code == viewer.post(move, {"to": "sql", "reason": "x"}).status_code == 403
    assert move not in viewer.get(reverse("admin:contacts_contact_change", args=[town.ana.pk])).content.decode()
    for page in (RULES, f"{RULES}rule/score-reaches-mql/", FUNNEL, NAMES):
        answer = viewer.get(page)
        assert answer.status_code == 200 and b'type="submit" class="cl-button cl-primary"' not in answer.content
    for page in (f"{RULES}new/event/", f"{RULES}rule/score-reaches-mql/", f"{RULES}rule/score-reaches-mql/switch/"):
        assert viewer.post(page, {"name": "x"}).status_code == 403
    assert viewer.post(NAMES, {"mql": "x"}).status_code == 403
    assert not ProgressionRule.objects.exists() and not StageLabel.objects.exists()
    nobody = staff()
    for page in (RULES, FUNNEL, NAMES, f"{MOVES}stage/mql/"):
        assert nobody.get(page).status_code == 403


# -- what moves people -------------------------------------------------------------------------------------------------


def test_a_rule_for_an_event_is_written_changed_and_told_in_a_sentence(maya, town):
    said = {
        "name": "Asked for a demo",
        "event": "demo_requested",
        "where": json.dumps({"all": [{"field": "event.seats", "op": "gte", "value": 10}]}),
        "from_stages": ["none", "lead"],
        "to_stage": "sql",
    }
    answer = maya.post(f"{RULES}new/event/", said, follow=True)
    assert "“Asked for a demo” is in force from now on." in answer.content.decode()
    rule = progression_rules.find("asked-for-a-demo")
    assert (rule.from_stages, rule.to_stage, rule.changed_by) == (("", "lead"), "sql", "staff:maya")
    assert "The event demo_requested is recorded, and the event’s seats is at least 10" in answer.content.decode()
    maya.post(f"{RULES}rule/asked-for-a-demo/", {**said, "where": "", "to_stage": "mql"})
    changed = progression_rules.find("asked-for-a-demo")
    assert (dict(changed.written), changed.to_stage) == ({"event": "demo_requested"}, "mql")


def test_a_rule_for_a_score_watches_a_threshold_of_its_own(maya, town):
    said = {"name": "Warm", "score": "lead", "threshold": "40", "from_stages": ["none"], "to_stage": "lead"}
    assert maya.post(f"{RULES}new/score/", said).status_code == 302
    assert dict(progression_rules.find("warm").written) == {"score": "lead", "threshold": 40.0}
    assert "The score reaches 40" in maya.get(RULES).content.decode()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"event": "lifecycle_changed"}, "could go round for ever"),
        ({"from_stages": ["sql"]}, "Nobody moves to where they are"),
        ({"from_stages": []}, "This field is required"),
        ({"where": "{"}, "This is not JSON"),
        ({"where": '{"field": "event.x", "op": "??", "value": 1}'}, "op"),
        ({"event": "\x00"}, "errorlist"),
        ({"name": "a\nb"}, "Expected a name"),
    ],
)
def test_what_is_no_rule_is_said_at_its_field_and_not_written(maya, town, changed, words):
    said = {"name": "Demo", "event": "demo", "where": "", "from_stages": ["lead"], "to_stage": "sql"}
    answer = maya.post(f"{RULES}new/event/", {**said, **changed})
    assert answer.status_code == 200 and words in answer.content.decode()
    assert not ProgressionRule.objects.exists()


def test_rules_are_put_in_order_switched_and_removed(maya, town):
    rule_of("One", event="one"), rule_of("Two", event="two")
    deed = "admin:scoring_progressionrule_deed"
    maya.post(reverse(deed, args=["two", "up"]))
    assert [rule.key for rule in progression_rules.every()] == ["score-reaches-mql", "two", "one"]
    maya.post(reverse(deed, args=["two", "switch"]))
    assert not progression_rules.find("two").is_active
    maya.post(reverse(deed, args=["two", "remove"]))
    assert progression_rules.find("two") is None
    maya.post(reverse(deed, args=["score-reaches-mql", "switch"]))
    maya.post(reverse(deed, args=["score-reaches-mql", "remove"]))
    assert progression_rules.find("score-reaches-mql").is_active
    assert maya.get(reverse(deed, args=["one", "remove"])).status_code == 403
    assert maya.post(reverse(deed, args=["gone", "switch"])).status_code == 404


def test_those_from_before_are_counted_and_moved_when_somebody_says_so(maya, town):
    key = rule_of("Ordered", event="order_completed")
    page = reverse("admin:scoring_progressionrule_rule", args=[key])
    waiting = maya.get(page).context["waiting"]
    assert waiting > 0
    assert "Apply to them as well" in maya.get(page).content.decode()
    maya.post(reverse("admin:scoring_progressionrule_deed", args=[key, "apply"]))
    assert "They are being moved: 0 so far." in maya.get(page).content.decode()
    while transactions.run(lambda now: catching_up.work_batch(now=now)):
        pass
    shown = maya.get(page)
    assert shown.context["waiting"] == 0 and shown.context["run"].moved == waiting


# -- the funnel --------------------------------------------------------------------------------------------------------


def test_the_funnel_leads_to_the_contacts_of_every_stage(maya, town):
    move_to(town.ana.pk, "opportunity")
    page = maya.get(FUNNEL).content.decode()
    for stage in stages.STAGES:
        assert reverse("admin:scoring_lifecycleevent_stage", args=[stage]) in page
    listed = maya.get(reverse("admin:scoring_lifecycleevent_stage", args=["opportunity"])).content.decode()
    assert town.ana.email in listed and "the API" in listed
    assert maya.get(f"{MOVES}stage/vip/").status_code == 404


@pytest.mark.parametrize(
    "asked",
    [
        "?days=7&way=rule", "?days=0", "?days=%00", "?since=2026-01-01&until=2026-02-01",
        "?since=0001-01-01&until=9999-12-31", "?since=2026-02-01&until=2026-01-01", "?way=%F0%9F%98%80",
        "?since=2026-13-45&until=x",
    ],
)  # fmt: skip
def test_the_funnel_of_any_question_is_a_page(maya, town, asked):
    assert maya.get(f"{FUNNEL}{asked}").status_code == 200


@pytest.mark.parametrize(
    "before", ["x", "2026-01-01~1", "2026-01-01T00:00:00+00:00~99999999999999999999", "~", "%00~1"]
)
def test_a_cursor_that_is_none_is_the_first_page(maya, town, before):
    assert maya.get(f"{MOVES}stage/mql/?before={before}").status_code == 200


def test_a_funnel_costs_the_same_number_of_statements_whoever_there_is(maya, town):
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            maya.get(FUNNEL)
        return len(queries)

    statements()
    few = statements()
    for contact_id in (town.ana.pk, town.mallory.pk):
        move_to(contact_id, "sql")
        move_to(contact_id, "opportunity")
    assert statements() == few


# -- names -------------------------------------------------------------------------------------------------------------


def test_stages_are_renamed_everywhere_at_once_and_read_once_in_a_request(maya, town):
    move_to(town.ana.pk, "sql")
    move_to(town.ana.pk, "mql")
    kept = {stage: label for stage, label in stages.labels().items() if stage != "mql"}
    answer = maya.post(NAMES, {**kept, "mql": "Hot lead"}, follow=True)
    assert "Saved." in answer.content.decode()
    for page in (MOVES, FUNNEL, RULES, reverse("admin:contacts_contact_change", args=[town.ana.pk])):
        with CaptureQueriesContext(connection) as queries:
            shown = maya.get(page).content.decode()
        assert "Hot lead" in shown
        assert len([query for query in queries if "lifecycle_stage_labels" in query["sql"]]) == 1
    assert stage_of(town.ana.pk) == "mql"


def test_two_stages_of_one_name_are_refused(maya, town):
    answer = maya.post(NAMES, {**stages.labels(), "mql": "Customer"})
    assert answer.status_code == 200 and "is called so already" in answer.content.decode()
    assert not StageLabel.objects.exists()
