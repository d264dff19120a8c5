"""The grouped pass over everybody gives what the projection of each contact gives, and the ceilings are above it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.conditions import compile_condition, parse
from contacts.models import Contact
from scoring.projection import everybody, scores
from scoring.rulesets import reading
from scoring.rulesets.rules import Ruleset
from tests.scoring import chance
from tests.scoring.chance import NOW
from tests.scoring.conftest import rule, write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db


def ask(query) -> dict[int, float]:
    with connection.cursor() as cursor:
        cursor.execute(query.text, query.params)
        rows = cursor.fetchall()
    found = dict(rows)
    assert len(found) == len(rows), "somebody stands there twice"
    return found


def lead() -> Ruleset:
    found = reading.active_ruleset("lead")
    assert found is not None
    return found


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(
    written=chance.combined,
    others=st.tuples(chance.rulesets, chance.rulesets),
    lives=st.lists(chance.lives, min_size=1, max_size=4),
    hours=st.integers(-24, 24 * 30),
)
def test_everybody_has_the_score_that_each_has_and_none_above_their_ceiling(person, written, others, lives, hours):
    at = NOW - timedelta(hours=hours)
    chance.activate(written, others, now=NOW)
    for history, attributes in lives:
        write_history(person(attributes=attributes), history)
    ruleset = lead()
    ids = list(Contact.objects.values_list("pk", flat=True))
    each = scores.under(ruleset, contact_ids=ids, at=at)
    assert ask(everybody.query(ruleset, at=at)) == pytest.approx(each, abs=1e-6)
    hopeful = everybody.ceiling(ruleset)
    assert everybody.reads_index_alone(hopeful)
    most = scores.under(hopeful, contact_ids=ids, at=at)
    assert all(most[contact_id] >= score - 1e-6 for contact_id, score in each.items())
    if any(rule.condition is None for rule in (*ruleset.rules, *(r for p in ruleset.parts for r in p.ruleset.rules))):
        seen = ask(everybody.ceilings(ruleset, at=at, limit=1000))
        assert seen == pytest.approx({contact_id: most[contact_id] for contact_id in seen}, abs=1e-6)
        loosely = ask(everybody.ceilings(ruleset, at=at, limit=1000, latest=True))
        assert set(loosely) >= set(seen)
        assert all(ceiling >= each[contact_id] - 1e-6 for contact_id, ceiling in loosely.items())


def test_who_did_nothing_is_there_with_what_they_are(person, activated):
    activated(rule("visited", 5), {"name": "pro", "signal": {"field": "plan", "op": "eq", "value": "pro"}, "points": 7})
    idle, pro = person(), person(attributes={"plan": "pro"})
    assert ask(everybody.query(lead(), at=NOW)) == {idle: 0.0, pro: 7.0}


def test_who_was_merged_or_erased_is_not_there(person, activated, now):
    activated(rule("visited", 5))
    kept, merged, erased = person(), person(), person()
    for contact_id in (kept, merged, erased):
        write_history(contact_id, [Happened("visited", now)])
    Contact.objects.filter(pk=merged).update(merged_into=kept)
    Contact.objects.filter(pk=erased).update(erased_at=now)
    assert ask(everybody.query(lead(), at=now)) == {kept: 5.0}


@pytest.mark.parametrize("where", [None, {"field": "event.size", "op": "gte", "value": 0}])
def test_only_those_are_asked_of_whom_the_condition_is_true(person, activated, now, where):
    signal = {"event": "visited"} if where is None else {"event": "visited", "where": where}
    activated({"name": "visited", "signal": signal, "points": 5})
    asked, other = person(attributes={"plan": "pro"}), person()
    for contact_id in (asked, other):
        write_history(contact_id, [Happened("visited", now)])
    among = compile_condition(parse({"field": "plan", "op": "eq", "value": "pro"}), now=now)
    assert ask(everybody.query(lead(), at=now, among=among)) == {asked: 5.0}


def test_ids_far_apart_are_looked_at_too(person, activated, now):
    """Ids have gaps: slices are cut by the span of the ids."""
    activated(rule("visited", 5))
    far = [person(id=1), person(id=7_000_000), person(id=7_100_000_000)]
    for contact_id in far:
        write_history(contact_id, [Happened("visited", now)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE contacts")
    assert ask(everybody.query(lead(), at=now)) == dict.fromkeys(far, 5.0)
    assert ask(everybody.ceilings(lead(), at=now, limit=10)) == dict.fromkeys(far, 5.0)


def test_what_is_still_to_come_lowers_no_ceiling(person, activated, now):
    activated(rule("visited", 5), rule("left", -3), rule("fined", -2, cap=8))
    some = person()
    tomorrow = now + timedelta(days=1)
    write_history(
        some, [Happened("visited", now), *(Happened(kind, tomorrow) for kind in ("visited", "left", "fined"))]
    )
    assert ask(everybody.ceilings(lead(), at=now, limit=10)) == {some: 5.0}
    assert ask(everybody.ceilings(lead(), at=now, limit=10, latest=True)) == {some: 10.0}


def test_an_event_may_be_compared_with_its_contact(person, activated, now):
    where = {"all": [{"field": "plan", "op": "eq", "value": "pro"}, {"field": "event.size", "op": "gte", "value": 3}]}
    activated({"name": "visited", "signal": {"event": "visited", "where": where}, "points": 5})
    pro, free = person(attributes={"plan": "pro"}), person(attributes={"plan": "free"})
    for contact_id in (pro, free):
        write_history(contact_id, [Happened("visited", now, size=3), Happened("visited", now, size=2)])
    assert ask(everybody.query(lead(), at=now)) == {pro: 5.0, free: 0.0}


def test_rules_that_ask_only_for_types_are_answered_by_the_index(person, activated, now):
    activated(rule("visited", 5), rule("asked", 3, cap=9), rule("left", -1, repeat={"policy": "once"}))
    query = everybody.query(lead(), at=now)
    with connection.cursor() as cursor:
        # as empty as they are new: what other tests left behind on their pages has no say in the plan
        cursor.execute("SET LOCAL session_replication_role = replica; TRUNCATE contact_events")
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {query.text}", query.params)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    scans = [line for line in plan.splitlines() if " on contact_events" in line]
    assert scans and all("Index Only Scan" in line for line in scans), plan
