"""New rules: one active version, and everybody who crosses because of them is found."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from scoring import tasks
from scoring.crossings import comparing, recheck
from scoring.models import Ruleset, ScoreCheck, ScoreCrossing, ScoringRule
from scoring.rulesets import versions
from scoring.rulesets.rules import BadRules
from tests.scoring.conftest import rule, write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db(transaction=True)


def work_off(now, limit=500):
    """As the bulk lane does: compare, and ask for more when nobody is due."""
    busy = True
    while busy:
        with transaction.atomic():
            busy = comparing.check_batch(now=now, limit=limit, lane="bulk") or recheck.ask_batch(now=now, limit=limit)


def directions(contact_id):
    rows = ScoreCrossing.objects.filter(contact_id=contact_id).order_by("seq")
    return ["up" if row.upward else "down" for row in rows]


def test_a_new_version_retires_the_one_before(activated):
    first, second = activated(rule("asked", 1)), activated(rule("asked", 2), rule("left", -1))
    assert Ruleset.objects.get(pk=first).state == "retired"
    assert Ruleset.objects.get(pk=second).state == "active" and Ruleset.objects.get(pk=second).version == 2
    assert ScoringRule.objects.filter(ruleset_id=first).count() == 1


def test_wrong_rules_change_nothing(activated):
    activated(rule("asked", 1))
    with pytest.raises(BadRules):
        activated(rule("asked", 1), {"name": "broken"})
    assert Ruleset.objects.get().state == "active"


def test_two_who_activate_at_once_leave_one_active_version(now):
    def work(points):
        try:
            versions.activate(rules=[rule("asked", points)], now=now)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[points]) for points in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(Ruleset.objects.values_list("version", flat=True)) == [1, 2, 3, 4]
    assert Ruleset.objects.get(state="active").version == 4


def test_everybody_who_crosses_because_of_new_rules_is_found_in_batches(person, activated, now):
    activated(rule("asked", 1))
    above = [person() for _ in range(7)]
    below, silent = person(), person()
    for contact_id in above:
        write_history(contact_id, [Happened("visited", now - timedelta(days=1))] * 6)
    write_history(below, [Happened("visited", now)])
    work_off(now)
    activated(rule("visited", 10))
    work_off(now, limit=3)
    assert [directions(contact_id) for contact_id in above] == [["up"]] * 7
    assert directions(below) == directions(silent) == []
    assert Ruleset.objects.get(state="active").recheck_after is None
    activated(rule("visited", 1))
    work_off(now, limit=3)
    assert [directions(contact_id) for contact_id in above] == [["up", "down"]] * 7


def test_rules_about_a_contact_itself_are_looked_at_for_everybody(person, activated, now):
    director = person(attributes={"title": "Director"})
    activated({"name": "director", "signal": {"field": "title", "op": "eq", "value": "Director"}, "points": 60})
    work_off(now)
    assert directions(director) == ["up"]


def test_nobody_is_asked_for_while_a_transaction_from_before_may_still_record(person, activated, now):
    contact_id = person()
    began, activated_meanwhile = threading.Event(), threading.Event()

    def old_transaction():
        try:
            with transaction.atomic():
                write_history(contact_id, [Happened("asked", now)])
                began.set()
                activated_meanwhile.wait(10)
        finally:
            connection.close()

    thread = threading.Thread(target=old_transaction)
    thread.start()
    began.wait(10)
    activated(rule("asked", 60))
    with transaction.atomic():
        assert recheck.ask_batch(now=now)  # notes which transactions to wait for
    with transaction.atomic():
        assert not recheck.ask_batch(now=now)
    activated_meanwhile.set()
    thread.join()
    work_off(now)
    assert directions(contact_id) == ["up"]


def test_asking_waits_while_the_bulk_lane_is_crowded(person, activated, now):
    people = [person() for _ in range(4)]
    for contact_id in people:
        write_history(contact_id, [Happened("asked", now)])
    activated(rule("asked", 60))
    for _ in range(2):
        with transaction.atomic():
            assert recheck.ask_batch(now=now, limit=2)
    with transaction.atomic():
        assert not recheck.ask_batch(now=now, limit=2)
    assert ScoreCheck.objects.filter(lane="bulk").count() == 2


def test_the_doorbells_work_everything_off(person, activated, now, monkeypatch):
    rung = []
    monkeypatch.setattr("contacts.doorbell.ring", lambda task, lane: rung.append((task, lane)))
    contact_id = person()
    write_history(contact_id, [Happened("asked", now)])
    activated(rule("asked", 60))
    assert rung == [("scoring.check", "bulk")]
    tasks.sweep(lane="housekeeping")
    assert rung == [("scoring.check", "bulk")] * 2
    tasks.check(lane="urgent")
    assert directions(contact_id) == []
    tasks.check(lane="bulk")
    assert directions(contact_id) == ["up"]
    rung.clear()
    tasks.sweep(lane="housekeeping")
    assert rung == []
