"""What moves people along by itself: scores that reach a threshold, events, and in which order."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from contacts import events
from contacts.models import ContactEvent
from scoring.lifecycle import catching_up, progression_rules, stages
from scoring.models import LifecycleEvent, ProgressionRule, ScoreCrossing, ScoreThreshold
from scoring.rulesets.rules import BadRules
from tests.scoring import playing
from tests.scoring.conftest import rule as scoring_rule

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def write(name: str, cause: dict[str, Any], to: str, *sources: str, **more: Any) -> str:
    """A rule in force; returns its key."""
    raw = {"name": name, "cause": cause, "from_stages": list(sources), "to_stage": to, **more}
    with transaction.atomic():
        return progression_rules.save(raw, by="staff:maya", now=NOW - DAY).key


def put(contact_id: int, stage: str) -> None:
    with transaction.atomic():
        stages.move(contact_ids=[contact_id], to_stage=stage, reason="to begin with", source="api", now=NOW)


def happen(*happened: tuple[int, str] | tuple[int, str, dict], at=NOW, lane: str = "urgent", **more: Any) -> None:
    """These events, in one batch."""
    rows = [
        events.NewEvent(kind, more.get("occurred_at"), contact_id, (rest or [{}])[0], {}, key=str(uuid.uuid4()))
        for contact_id, kind, *rest in happened
    ]
    with transaction.atomic():
        events.record_batch(
            rows, source="api", now=at, lane=lane, tracking_default=more.get("tracking_default", "granted")
        )


def check(at: datetime = NOW) -> None:
    assert playing.check(at)


def way(contact_id: int) -> list[str]:
    moves = LifecycleEvent.objects.filter(contact_id=contact_id).order_by("id")
    return [f"{move.from_stage} > {move.to_stage} by {move.source}" for move in moves]


# -- scores ------------------------------------------------------------------------------------------------------------


def test_a_score_that_reaches_its_threshold_makes_a_lead_marketing_qualified_unless_sales_has_them(person, activated):
    activated(scoring_rule("asked", 60))
    fresh, sold = person(), person()
    put(sold, "sql")
    happen((fresh, "asked"), (sold, "asked"))
    check()
    assert way(fresh) == [" > mql by rule:score-reaches-mql"]
    assert stages.current_stages([sold]) == {sold: "sql"}
    assert LifecycleEvent.objects.get(contact_id=fresh).reason == "score reached 60 (lead v1)"


def test_the_rule_that_is_built_in_can_be_changed_switched_off_and_had_back(person, activated):
    activated(scoring_rule("asked", 60))
    first, second, third = person(), person(), person()
    raw = {"name": "To sales", "cause": {"score": "lead", "threshold": None}, "from_stages": [""], "to_stage": "sql"}
    with transaction.atomic():
        progression_rules.save(raw, key="score-reaches-mql", by="staff:maya", now=NOW)
    happen((first, "asked"))
    check()
    with transaction.atomic():
        progression_rules.switch("score-reaches-mql", on=False, by="staff:maya", now=NOW)
    happen((second, "asked"), at=NOW + DAY)
    check(NOW + DAY)
    with transaction.atomic():
        progression_rules.remove("score-reaches-mql", now=NOW)
    happen((third, "asked"), at=NOW + 2 * DAY)
    check(NOW + 2 * DAY)
    assert ScoreCrossing.objects.count() == 3
    assert stages.current_stages([first, second, third]) == {first: "sql", third: "mql"}


def test_a_threshold_of_a_rules_own_is_watched_for_as_long_as_the_rule_is_in_force(person, activated):
    activated(scoring_rule("asked", 45))
    key = write("Warm", {"score": "lead", "threshold": 40}, "lead", "", "subscriber")
    contact_id = person()
    happen((contact_id, "asked"))
    check()
    assert way(contact_id) == [f" > lead by rule:{key}"]
    with transaction.atomic():
        progression_rules.switch(key, on=False, by="staff:maya", now=NOW)
    assert not ScoreThreshold.objects.exists()


def test_one_contact_that_crosses_two_thresholds_at_once_takes_both_steps(person, activated):
    activated(scoring_rule("asked", 90))
    warm = write("Warm", {"score": "lead", "threshold": 40}, "lead", "")
    hot = write("Hot", {"score": "lead", "threshold": 80}, "sql", "mql")
    contact_id = person()
    happen((contact_id, "asked"))
    check()
    assert way(contact_id) == [
        f" > lead by rule:{warm}",
        "lead > mql by rule:score-reaches-mql",
        f"mql > sql by rule:{hot}",
    ]


# -- events ------------------------------------------------------------------------------------------------------------


def test_an_event_moves_those_who_are_in_a_stage_that_its_rule_takes_people_from(person):
    key = write("Demo", {"event": "demo_requested"}, "mql", "", "lead")
    fresh, lead, customer = person(), person(), person()
    put(lead, "lead")
    put(customer, "customer")
    happen((fresh, "demo_requested"), (lead, "demo_requested"), (customer, "demo_requested"), (lead, "page_viewed"))
    assert stages.current_stages([fresh, lead, customer]) == {fresh: "mql", lead: "mql", customer: "customer"}
    moved = LifecycleEvent.objects.get(contact_id=fresh)
    assert (moved.reason, moved.source, moved.occurred_at) == ("event demo_requested", f"rule:{key}", NOW)
    told = ContactEvent.objects.get(contact_id=fresh, type="lifecycle_changed")
    assert told.properties == {"from": "", "to": "mql", "reason": "event demo_requested"}


def test_a_lost_deal_is_a_new_row_that_leads_back(person):
    key = write("Lost", {"event": "deal_lost"}, "sql", "opportunity")
    contact_id = person()
    put(contact_id, "opportunity")
    happen((contact_id, "deal_lost"))
    assert way(contact_id) == [" > opportunity by api", f"opportunity > sql by rule:{key}"]


def test_a_rule_asks_about_the_event_and_about_the_contact(person):
    where = {"all": [{"field": "event.seats", "op": "gte", "value": 10}, {"field": "plan", "op": "eq", "value": "pro"}]}
    write("Big deal", {"event": "quote_sent", "where": where}, "opportunity", "")
    right, small, other = (person(attributes={"plan": plan}) for plan in ("pro", "pro", "free"))
    happen(
        (small, "quote_sent", {"seats": 9}), (right, "quote_sent", {"seats": 10}), (other, "quote_sent", {"seats": 50})
    )
    assert stages.current_stages([right, small, other]) == {right: "opportunity"}


def test_of_several_rules_that_fit_the_one_that_stands_first_decides(person):
    write("Second", {"event": "asked"}, "mql", "")
    first = write("First", {"event": "asked"}, "sql", "")
    one, other = person(), person()
    with transaction.atomic():
        progression_rules.raise_above(first, by="staff:maya")
    happen((one, "asked"))
    assert stages.current_stages([one]) == {one: "sql"}
    with transaction.atomic():
        progression_rules.switch(first, on=False, by="staff:maya", now=NOW)
    happen((other, "asked"), at=NOW + DAY)
    assert stages.current_stages([other]) == {other: "mql"}


def test_a_batch_ends_where_its_events_one_by_one_would_have_ended(person):
    write("Asked", {"event": "asked"}, "mql", "")
    write("Bought", {"event": "bought"}, "customer", "mql")
    write("Left", {"event": "left"}, "churned", "customer")
    together, apart, backwards = person(), person(), person()
    happen(*((together, kind) for kind in ("asked", "bought", "left")))
    for days, kind in enumerate(("asked", "bought", "left")):
        happen((apart, kind), at=NOW + days * DAY)
    happen(*((backwards, kind) for kind in ("left", "bought", "asked")), at=NOW + 5 * DAY)
    assert [step.partition(" by ")[0] for step in way(together)] == [" > mql", "mql > customer", "customer > churned"]
    assert way(together) == way(apart)
    assert stages.current_stages([backwards]) == {backwards: "mql"}


def test_what_consent_holds_back_machines_did_or_is_long_over_moves_nobody(person, settings):
    settings.EVENT_TRIGGER_MAX_AGE = "P30D"
    write("Clicked", {"event": "email_clicked"}, "lead", "")
    held, scanner, old, human = (person() for _ in range(4))
    happen((held, "email_clicked"), tracking_default="denied")
    happen((scanner, "email_clicked", {"is_machine": True}), (human, "email_clicked"), at=NOW + timedelta(minutes=1))
    happen((old, "email_clicked"), at=NOW + DAY, occurred_at=NOW - 31 * DAY)
    assert stages.current_stages([held, scanner, old, human]) == {human: "lead"}


def test_our_own_events_count_and_a_move_causes_no_other_move(person):
    write("Above", {"event": "score_threshold_crossed"}, "sql", "")
    contact_id = person()
    with transaction.atomic():
        events.record_own([events.OwnEvent(contact_id, "score_threshold_crossed", {}, "k")], now=NOW)
    assert stages.current_stages([contact_id]) == {contact_id: "sql"}
    with pytest.raises(BadRules) as refused:
        write("Round", {"event": "lifecycle_changed"}, "lead", "sql")
    assert [problem.path for problem in refused.value.problems] == ["cause.event"]
    row = {"name": "Round", "from_stages": ["sql"], "to_stage": "lead"}
    with pytest.raises(IntegrityError, match="no_progression_goes_round"), transaction.atomic():
        ProgressionRule.objects.create(key="round", cause={"event": "lifecycle_changed"}, **row)


def test_the_number_of_statements_depends_neither_on_people_nor_on_rules(person):
    def statements(people: int, at) -> int:
        asked = [person() for _ in range(people)]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            happen(*((contact_id, "asked") for contact_id in asked), at=at)
        assert set(stages.current_stages(asked).values()) == {"mql"}
        return len(queries)

    write("One", {"event": "asked"}, "mql", "")
    few = statements(2, NOW)
    for number in range(5):
        write(f"More {number}", {"event": "asked", "where": {"has_tag": f"t{number}"}}, "sql", "mql")
    assert statements(40, NOW + DAY) == few


def test_events_that_no_rule_looks_at_cost_one_look_at_the_rules(person):
    write("Other", {"event": "asked"}, "lead", "")
    with CaptureQueriesContext(connection) as queries:
        happen(*((person(), "visited") for _ in range(3)))
    assert [
        query["sql"].count("FROM lifecycle_progression_rules") for query in queries if "lifecycle_" in query["sql"]
    ] == [1]


# -- what may be written -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"name": " "}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"to_stage": "vip"}, "to_stage"),
        ({"from_stages": []}, "from_stages"),
        ({"from_stages": ["lead", "vip"]}, "from_stages[1]"),
        ({"from_stages": ["mql"]}, "from_stages[0]"),
        ({"cause": {"event": ""}}, "cause.event"),
        ({"cause": {"event": "asked", "within": "P3D"}}, "cause.within"),
        ({"cause": {"event": "asked", "where": {"field": "score", "op": "gte"}}}, "cause.where.value"),
        ({"cause": {"score": "lead", "threshold": "60"}}, "cause.threshold"),
        ({"cause": {"score": "lead", "threshold": -1}}, "cause.threshold"),
        ({"cause": {"tag": "vip"}}, "cause"),
        ({"weight": 3}, "weight"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_place(changed, path):
    sound = {"name": "Demo", "cause": {"event": "demo"}, "from_stages": [""], "to_stage": "mql"}
    with pytest.raises(BadRules) as refused, transaction.atomic():
        progression_rules.save({**sound, **changed}, by="staff:maya", now=NOW)
    assert [problem.path for problem in refused.value.problems] == [path]
    assert not ProgressionRule.objects.exists()


def test_whoever_changed_a_rule_is_remembered_and_names_that_are_taken_get_a_number():
    keys = [write("Demo", {"event": "demo"}, "mql", "") for _ in range(2)]
    assert keys == ["demo", "demo-2"]
    with transaction.atomic():
        progression_rules.switch("demo", on=False, by="key:crm", now=NOW)
    assert [(rule.key, rule.is_active, rule.changed_by) for rule in progression_rules.every()] == [
        ("score-reaches-mql", True, ""),
        ("demo", False, "key:crm"),
        ("demo-2", True, "staff:maya"),
    ]


def test_a_rule_that_can_no_longer_be_read_moves_nobody_and_stops_no_event(person):
    write("Demo", {"event": "demo"}, "mql", "")
    ProgressionRule.objects.update(cause={"event": "demo", "where": {"field": "gone.by", "op": "??"}})
    contact_id = person()
    happen((contact_id, "demo"))
    assert stages.current_stages([contact_id]) == {}
    assert ContactEvent.objects.filter(type="demo").exists()


# -- those from before -------------------------------------------------------------------------------------------------


def test_those_from_before_are_counted_and_moved_page_by_page_and_only_once(person, monkeypatch):
    monkeypatch.setattr(catching_up, "PAGE", 2)
    before = [person() for _ in range(5)]
    sold, never = person(), person()
    put(sold, "customer")
    happen(*((contact_id, "demo") for contact_id in [*before, sold]))
    key = write("Demo", {"event": "demo"}, "mql", "")
    found = progression_rules.find(key)
    with transaction.atomic():
        assert catching_up.count(found, now=NOW) == 5
        catching_up.ask(key, by="staff:maya", now=NOW)
    pages = 0
    while _work():
        pages += 1
    assert pages > 3
    assert stages.current_stages([*before, sold, never]) == {**dict.fromkeys(before, "mql"), sold: "customer"}
    row = LifecycleEvent.objects.get(contact_id=before[0])
    assert (row.reason, row.source, row.actor) == ("event demo, before the rule", f"rule:{key}", "staff:maya")
    assert catching_up.runs()[key].moved == 5 and not catching_up.is_waiting()
    with transaction.atomic():
        assert catching_up.count(found, now=NOW) == 0


def test_those_who_stand_above_a_threshold_already_can_be_moved_as_well(person, activated):
    with transaction.atomic():
        progression_rules.switch("score-reaches-mql", on=False, by="staff:maya", now=NOW)
    activated(scoring_rule("asked", 60))
    above, below = person(), person()
    happen((above, "asked"), (below, "other"))
    check()
    assert stages.current_stages([above]) == {}
    with transaction.atomic():
        progression_rules.switch("score-reaches-mql", on=True, by="staff:maya", now=NOW)
        catching_up.ask("score-reaches-mql", by="staff:maya", now=NOW)
    while _work():
        pass
    assert stages.current_stages([above, below]) == {above: "mql"}


def test_a_run_of_a_rule_that_was_switched_off_meanwhile_moves_nobody(person):
    contact_id = person()
    happen((contact_id, "demo"))
    key = write("Demo", {"event": "demo"}, "mql", "")
    with transaction.atomic():
        catching_up.ask(key, by="staff:maya", now=NOW)
        progression_rules.switch(key, on=False, by="staff:maya", now=NOW)
    while _work():
        pass
    assert stages.current_stages([contact_id]) == {} and not catching_up.is_waiting()


def _work() -> bool:
    with transaction.atomic():
        return catching_up.work_batch(now=NOW)
