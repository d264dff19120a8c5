"""A back-test is rows of work: killed, cancelled, stuck, erased from, merged into, it stays right."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext

from contacts.models import Contact
from scoring import tasks
from scoring.backtests import asking, judging, running
from scoring.models import Backtest, BacktestContact, Ruleset
from scoring.rulesets import versions
from scoring.rulesets.rules import BadRules
from tests.contacts.merging.conftest import merge
from tests.contacts.privacy.test_erasing import erase
from tests.scoring.backtests.conftest import BOUGHT, rows, work
from tests.scoring.conftest import rule, write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db


@pytest.fixture
def crowd(person, now):
    """Ten people who visited, of whom every other one bought a day later."""
    people = [person() for _ in range(10)]
    for place, contact_id in enumerate(people):
        write_history(contact_id, [Happened("visited", now - timedelta(days=5))])
        if place % 2:
            write_history(contact_id, [Happened("bought", now - timedelta(days=4))])
    return people


@pytest.fixture
def asked(drafted, now):
    def ask(ruleset_id=None, **said):
        said = {"since": now - timedelta(days=30), "until": now, "conversion": BOUGHT, **said}
        draft = ruleset_id or drafted(rule("visited", 60))
        with transaction.atomic():
            return asking.ask(ruleset_id=draft, now=now, **said)

    return ask


def one_batch(now, limit=4):
    with transaction.atomic():
        return running.work_batch(now=now, limit=limit)


def test_progress_moves_with_every_page(asked, crowd, now):
    backtest_id = asked()
    seen = []
    while one_batch(now):
        seen.append(Backtest.objects.values_list("state", "contacts_done", "contacts_total").get(pk=backtest_id))
    assert seen == [("running", 4, 10), ("running", 8, 10), ("running", 10, 10), ("finished", 10, 10)]


def test_whoever_is_killed_leaves_nobody_out_and_nobody_twice(asked, crowd, now, monkeypatch):
    backtest_id = asked()
    one_batch(now)

    class Killed(BaseException):
        pass

    store = running._store

    def die(*args):
        store(*args)
        raise Killed

    monkeypatch.setattr(running, "_store", die)
    with pytest.raises(Killed):
        one_batch(now)
    monkeypatch.setattr(running, "_store", store)
    assert BacktestContact.objects.count() == 4
    work(now=now, limit=4)
    backtest = Backtest.objects.get(pk=backtest_id)
    assert sorted(rows(backtest)) == crowd
    assert (backtest.contacts_done, backtest.contacts_looked_at) == (10, 10)
    told = backtest.result["tried"]
    assert (told["crossed"], told["foretold"], told["precision"]["share"], told["recall"]["share"]) == (10, 5, 0.5, 1.0)


def test_the_draft_may_change_while_it_is_tried(asked, drafted, crowd, now):
    draft = drafted(rule("visited", 60))
    backtest_id = asked(draft)
    one_batch(now)
    versions.change_draft(draft, {"rules": [rule("visited", 1)]})
    work(now=now)
    assert Backtest.objects.get(pk=backtest_id).result["tried"]["crossed"] == 10


def test_a_draft_that_is_discarded_takes_its_back_tests_along(asked, drafted, crowd, now):
    draft = drafted(rule("visited", 60))
    asked(draft)
    one_batch(now)
    versions.discard_draft(draft)
    assert one_batch(now) is False
    assert not BacktestContact.objects.exists()


def test_a_back_test_is_compared_with_the_version_that_was_active_when_it_was_asked_for(
    asked, activated, drafted, crowd, now
):
    old = activated(rule("visited", 60))
    draft = drafted(rule("visited", 1))
    backtest_id = asked(draft)
    with transaction.atomic():
        versions.activate_draft(draft, now=now)
    work(now=now)
    backtest = Backtest.objects.get(pk=backtest_id)
    assert backtest.against_id == old
    assert (backtest.result["active"]["crossed"], backtest.result["only_active"]) == (10, 10)
    again = asked(draft)  # the active one itself: there is nothing to compare it with
    work(now=now)
    backtest = Backtest.objects.get(pk=again)
    assert (backtest.against, backtest.result["active"]) == (None, None)


def test_cancelled_is_cancelled_at_once_and_for_ever(asked, crowd, now):
    backtest_id = asked()
    one_batch(now)
    asking.cancel(backtest_id, now=now)
    assert one_batch(now) is False
    assert Backtest.objects.get(pk=backtest_id).contacts_done == 4
    with pytest.raises(asking.NotOpen):
        asking.cancel(backtest_id, now=now)
    with pytest.raises(asking.NotOpen):
        asking.go_on(backtest_id)


def test_one_that_gets_stuck_stands_aside_and_can_go_on_from_where_it_was(asked, crowd, now, monkeypatch, caplog):
    stuck, other = asked(), asked()
    one_batch(now)
    judge = judging.judge

    def refuse(trial, found):
        raise DataError('invalid input syntax for type numeric: "jane@customer.example"')

    monkeypatch.setattr(running, "judge", refuse)
    tasks._backtest()
    monkeypatch.setattr(running, "judge", judge)
    assert f"back-test {stuck} is stuck: DataError" in caplog.text
    assert "jane" not in caplog.text  # the database's words have people's data in them
    backtest = Backtest.objects.get(pk=stuck)
    assert (backtest.state, backtest.contacts_done) == ("failed", 4)
    assert backtest.problem
    work(now=now)
    assert Backtest.objects.get(pk=other).state == "finished"
    asking.go_on(stuck)
    work(now=now)
    backtest = Backtest.objects.get(pk=stuck)
    assert (backtest.state, backtest.problem, backtest.contacts_done) == ("finished", "", 10)


def test_the_erased_leave_every_back_test(asked, crowd, now):
    backtest_id = asked()
    one_batch(now)
    first, last = crowd[0], crowd[-1]
    for contact_id in (first, last):  # one was judged already, the other is not yet
        erase(contact_id)
    work(now=now)
    assert sorted(rows(Backtest.objects.get(pk=backtest_id))) == crowd[1:-1]


def test_whoever_is_erased_while_they_are_judged_is_not_stored(asked, crowd, now, monkeypatch):
    backtest_id = asked()
    judge = judging.judge

    def erased_meanwhile(trial, found):
        verdicts = judge(trial, found)
        Contact.objects.filter(pk=crowd[0]).update(erased_at=now)
        return verdicts

    monkeypatch.setattr(running, "judge", erased_meanwhile)
    one_batch(now)
    assert sorted(rows(Backtest.objects.get(pk=backtest_id))) == crowd[1:4]


def test_two_who_are_found_to_be_one_are_one_row(asked, crowd, now):
    backtest_id = asked()
    one_batch(now)
    merge(crowd[0], crowd[1])  # both were judged
    merge(crowd[2], crowd[8])  # one of them was
    work(now=now)
    assert sorted(rows(Backtest.objects.get(pk=backtest_id))) == [crowd[0], *crowd[2:8], crowd[9]]


def test_the_number_of_statements_does_not_depend_on_the_number_of_contacts(asked, crowd, now):
    counts = []
    for limit in (1, 9):
        asked()
        with CaptureQueriesContext(connection) as queries:
            one_batch(now, limit=limit)
        counts.append(len(queries))
        Backtest.objects.all().delete()
    assert counts[0] == counts[1]


def test_a_heavy_page_is_taken_in_parts(asked, crowd, now, monkeypatch):
    monkeypatch.setattr(running, "WEIGHT", 50)
    backtest_id = asked()
    done = [0]
    while one_batch(now, limit=100):
        done.append(Backtest.objects.get(pk=backtest_id).contacts_done)
    assert len(done) > 3 and done[-1] == 10
    assert sorted(rows(Backtest.objects.get(pk=backtest_id))) == crowd


def test_the_lists_of_old_back_tests_are_forgotten_and_the_figures_kept(asked, crowd, now):
    backtest_id = asked()
    work(now=now)
    assert running.forget_batch(now=now + timedelta(days=90)) is False
    assert running.forget_batch(now=now + timedelta(days=91)) is True
    assert not BacktestContact.objects.exists()
    assert Backtest.objects.get(pk=backtest_id).result["tried"]["crossed"] == 10


def test_a_lost_bell_is_rung_again_by_the_sweep(asked, crowd, monkeypatch):
    rung = []
    monkeypatch.setattr("contacts.doorbell.ring", lambda task, lane: rung.append((task, lane)))
    tasks.sweep()
    assert ("scoring.backtest", "bulk") not in rung
    asked()
    tasks.sweep()
    assert ("scoring.backtest", "bulk") in rung


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"ruleset_id": 10**9}, "ruleset"),
        ({"until_days": 31}, "until"),
        ({"until_days": -1}, "until"),
        ({"since_days": 1101}, "since"),
        ({"threshold": 0}, "threshold"),
        ({"threshold": True}, "threshold"),
        ({"conversion": {"stage": "friend"}}, "conversion.stage"),
        ({"conversion": None}, "conversion"),
        ({"conversion": {"event": "bought", "count": 2}}, "conversion"),
        ({"conversion": {"event": "bought", "where": {"field": "event.size", "op": "like"}}}, "conversion.where.op"),
    ],
)
def test_what_cannot_be_tried_is_refused_with_its_place(asked, now, said, path):
    said = dict(said)
    for name in ("since", "until"):
        if (days := said.pop(f"{name}_days", None)) is not None:
            said[name] = now - timedelta(days=days)
    with pytest.raises(BadRules) as refused:
        asked(**said)
    assert [problem.path for problem in refused.value.problems] == [path]
    assert not Backtest.objects.exists()


def test_any_version_can_be_tried(asked, activated, crowd, now):
    first = activated(rule("visited", 60))
    activated(rule("visited", 1))
    assert Ruleset.objects.get(pk=first).state == "retired"
    backtest_id = asked(first)
    work(now=now)
    result = Backtest.objects.get(pk=backtest_id).result
    assert (result["only_tried"], result["only_active"], result["neither"]) == (10, 0, 0)
