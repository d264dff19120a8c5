"""A score taken apart: every row says what it adds, and the rows add up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scoring.projection import explanation, scores
from scoring.rulesets import reading, versions
from tests.scoring.conftest import rule, write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def ago(**span) -> datetime:
    return NOW - timedelta(**span)


def rows(told: explanation.Explanation) -> list[tuple[str, float]]:
    """What somebody adds up with a pencil."""
    return [
        *((share.name, share.points) for share in told.rules),
        *((each.text, each.points) for each in told.adjustments),
    ]


def test_the_explanation_adds_up_to_the_score(person, activated):
    activated(
        rule("visited", 10, decay={"type": "half_life", "period": "P1D"}),
        rule("asked", 30, cap=50),
        {"name": "director", "signal": {"field": "title", "op": "eq", "value": "Director"}, "points": -5},
    )
    contact_id = person(attributes={"title": "Director"})
    write_history(
        contact_id,
        [
            Happened("visited", ago(days=1)),
            Happened("visited", ago(days=2)),
            Happened("asked", ago(days=3)),
            Happened("asked", ago(days=4)),
        ],
    )
    told = explanation.explain(contact_id, NOW)
    visited, asked, director = told.rules
    assert told.score == sum(share.points for share in told.rules) == 52.5
    assert scores.of(contact_ids=[contact_id], at=NOW) == {contact_id: 52.5}
    assert (visited.raw, visited.decayed, visited.points, visited.event_count) == (20.0, 7.5, 7.5, 2)
    assert [(event.raw, event.decayed) for event in visited.events] == [(10.0, 5.0), (10.0, 2.5)]
    assert (asked.raw, asked.points, asked.capped) == (60.0, 50.0, True)
    assert (director.points, director.event_count, director.events) == (-5.0, 0, ())
    assert told.ruleset == "lead v1"


def test_a_long_history_is_explained_by_its_newest_events(person, activated):
    activated(rule("visited", 1))
    contact_id = person()
    write_history(contact_id, [Happened("visited", ago(hours=hour)) for hour in range(80)])
    (share,) = explanation.explain(contact_id, NOW).rules
    assert share.event_count == 80 and len(share.events) == explanation.EVENTS_SHOWN
    assert share.events[0].occurred_at == NOW


def test_nobody_cannot_be_explained(activated):
    activated(rule("visited", 1))
    with pytest.raises(LookupError):
        explanation.explain(987_654_321, NOW)


def test_what_a_group_and_the_whole_hold_back_is_told_so_that_the_rows_add_up(person, activated):
    activated(
        rule("opened", 9, group="Email"),
        rule("clicked", 12.5, group="Email", cap=25),
        rule("asked", 30),
        groups=[{"name": "Email", "cap": 20}],
        cap=45,
    )
    contact_id = person()
    write_history(contact_id, [Happened(kind, ago(days=day)) for day in (1, 2, 3) for kind in ("opened", "clicked")])
    write_history(contact_id, [Happened("asked", ago(days=1))])
    told = explanation.explain(contact_id, NOW)
    assert rows(told) == [
        ("opened +9", 27.0),
        ("clicked +12.5", 25.0),
        ("asked +30", 30.0),
        ("Email is held at 20", -32.0),
        ("The total is held at 45", -5.0),
    ]
    assert told.score == 45.0 == sum(points for _, points in rows(told))
    assert [(each.kind, each.name, each.bound) for each in told.adjustments] == [
        ("group_cap", "Email", 20.0),
        ("total_cap", "", 45.0),
    ]
    assert [(share.group, share.capped) for share in told.rules] == [("Email", False), ("Email", True), ("", False)]


def test_bounds_that_hold_nothing_back_are_not_told(person, activated):
    activated(rule("opened", 9, group="Email"), groups=[{"name": "Email", "cap": 20}], cap=45)
    contact_id = person()
    write_history(contact_id, [Happened("opened", ago(days=1))])
    assert rows(explanation.explain(contact_id, NOW)) == [("opened +9", 9.0)]


def test_a_bound_holds_negative_points_too(person, activated):
    activated(rule("bounced", -30, group="Email"), groups=[{"name": "Email", "cap": 20}])
    contact_id = person()
    write_history(contact_id, [Happened("bounced", ago(days=1))])
    told = explanation.explain(contact_id, NOW)
    assert rows(told) == [("bounced -30", -30.0), ("Email is held at 20", 10.0)] and told.score == -20.0


def test_a_combined_score_tells_the_rules_of_its_parts_and_their_weights(person, activated):
    activated({"name": "pro", "signal": {"field": "plan", "op": "eq", "value": "pro"}, "points": 50}, name="fit")
    activated(rule("opened", 9, group="Email"), groups=[{"name": "Email", "cap": 10}], cap=8, name="engagement")
    activated(rule("asked", 5), parts={"fit": 0.5, "engagement": -2})
    contact_id = person(attributes={"plan": "pro"})
    write_history(contact_id, [Happened("opened", ago(days=1)), Happened("opened", ago(days=2))])
    write_history(contact_id, [Happened("asked", ago(days=1))])
    told = explanation.explain(contact_id, NOW)
    assert [(share.part, share.name, share.points) for share in told.rules] == [
        ("", "asked +5", 5.0),
        ("engagement", "opened +9", 18.0),
        ("fit", "pro", 50.0),
    ]
    assert [(each.part, each.text, each.points) for each in told.adjustments] == [
        ("engagement", "Email is held at 10", -8.0),
        ("engagement", "engagement is held at 8", -2.0),
        ("engagement", "engagement counts −2 times", -24.0),
        ("fit", "fit counts 0.5 times", -25.0),
    ]
    assert told.score == 14.0 == sum(points for _, points in rows(told))
    assert told.weights == {"fit": 0.5, "engagement": -2.0}
    assert explanation.explain(contact_id, NOW, "fit").score == 50.0


def test_of_events_that_repeat_the_newest_counts_and_the_others_say_why_not(person, activated):
    activated(
        rule("opened", 8, decay={"type": "half_life", "period": "P1D"}, repeat={"policy": "once"}),
        rule("asked", 3, repeat={"policy": "once_per", "period": "P1D"}),
        rule("asked", 2, repeat={"policy": "once_per", "period": "P7D"}, cap=1),
    )
    contact_id = person()
    write_history(contact_id, [Happened("opened", ago(days=day)) for day in (1, 2, 3)])
    write_history(contact_id, [Happened("asked", ago(hours=hour)) for hour in (1, 2, 14)])
    told = explanation.explain(contact_id, NOW)
    once, daily, weekly = told.rules
    assert (once.raw, once.decayed, once.points, once.event_count, once.left_out_count) == (8.0, 4.0, 4.0, 1, 2)
    assert [(event.raw, event.decayed, event.note) for event in once.events] == [
        (8.0, 4.0, ""),
        (0.0, 0.0, "a newer one counts"),
        (0.0, 0.0, "a newer one counts"),
    ]
    assert (daily.points, daily.event_count, daily.left_out_count) == (6.0, 2, 1)
    assert [(event.decayed, event.note) for event in daily.events] == [
        (3.0, ""),
        (0.0, "a newer one counts for the same day"),
        (3.0, ""),
    ]
    assert (weekly.raw, weekly.points, weekly.left_out_count) == (2.0, 1.0, 2)
    assert weekly.events[1].note == "a newer one counts for the same 7 days"
    assert told.score == 11.0


def test_a_draft_is_explained_as_if_it_were_active(person, activated):
    activated(rule("opened", 8))
    draft = versions.write_draft({"rules": [rule("opened", 20)]}, now=NOW)
    contact_id = person()
    write_history(contact_id, [Happened("opened", ago(days=1))])
    told = explanation.explain(contact_id, NOW, ruleset=reading.version(draft))
    assert (told.score, told.ruleset) == (20.0, "lead v2")
    assert explanation.explain(contact_id, NOW).score == 8.0


def test_a_change_of_the_rules_changes_the_rows_at_the_next_look(person, activated):
    contact_id = person()
    write_history(contact_id, [Happened("opened", ago(days=1))])
    activated(rule("opened", 8))
    assert rows(explanation.explain(contact_id, NOW)) == [("opened +8", 8.0)]
    activated(rule("opened", 8, cap=3))
    assert rows(explanation.explain(contact_id, NOW)) == [("opened +8", 3.0)]


def test_an_explanation_costs_three_statements_for_any_rules_and_history(person, activated):
    contact_id = person()
    write_history(contact_id, [Happened("opened", ago(days=day)) for day in range(30)])
    asked = []
    for count in (1, 9):
        activated(*(rule("opened", 1 + number, cap=5) for number in range(count)))
        with CaptureQueriesContext(connection) as queries:
            explanation.explain(contact_id, NOW)
        asked.append(len(queries))
    assert asked == [3, 3]
