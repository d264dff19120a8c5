"""Nothing that happens after an arrival or an entry is missed, whatever comes in between: each interleaving is
arranged, with transactions that are really open at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from django.db import connection, transaction

from analytics.counting import rebuild
from analytics.models import CounterDelta
from contacts import clock, transactions
from contacts.audiences import tags
from contacts.importing import bulk
from contacts.importing.rows import Row
from contacts.importing.shape import Options
from contacts.models import Contact
from contacts.upserting import Person
from tests import journeys
from tests.journeys import definition, step
from workflows import engine, intake
from workflows.models import Enrolment, JournalEntry, WatchCheck
from workflows.watches import exits, looking

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]

WAYS = {"happened": "yes", "timed_out": "no"}
ENDS = {"yes": step("add_tag", tag="yes"), "no": step("add_tag", tag="no")}
FOR_EVENT = {"wait": step("wait_for_event", WAYS, event="order_completed", timeout="P3D"), **ENDS}
FOR_TAG = {"wait": step("wait_for_condition", WAYS, timeout="P3D", **{"if": {"has_tag": "vip"}}), **ENDS}
TWO_TAGS = {"one": step("add_tag", {"next": "two"}, tag="one"), "two": step("add_tag", tag="two")}
PAUSE = {"pause": step("wait", mode="duration", **{"for": "P9D"})}


def order(contact: Contact) -> None:
    journeys.track(contact.pk, "order_completed")


def tag(contact: Contact) -> None:
    transactions.run(lambda now: tags.add_tag(contact_ids=[contact.pk], tag="vip", source="api", now=now))


def heard() -> None:
    """What happened is matched and looked at, as by workers that had nothing else to do."""
    while intake.match_batch(lane="urgent"):
        pass
    while any(journeys.look_again()):
        pass


CASES = pytest.mark.parametrize(("steps", "happens"), [(FOR_EVENT, order), (FOR_TAG, tag)], ids=["event", "condition"])


def entered(steps: dict) -> Contact:
    """A contact who is about to arrive at the first step."""
    journeys.publish(definition(steps))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up")
    heard()
    assert journeys.enrolment(contact.pk).state == "active"
    return contact


def way(contact: Contact) -> str:
    journeys.run()
    enrolment = journeys.enrolment(contact.pk)
    return enrolment.step if enrolment.state == "completed" else enrolment.state


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """`work` in a thread of its own, with its own connection; it has ended when this ends."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join(30)
    assert not thread.is_alive() and not failures, failures


def until_somebody_waits() -> None:
    """Until a transaction stands in front of a lock that another one holds."""
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                           " AND wait_event_type = 'Lock'")  # fmt: skip
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits for a lock")


class Pause:
    """A place in a transaction where it stands still until the test lets it go on."""

    def __init__(self) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.go_on.wait(30)


@contextmanager
def paused_at(monkeypatch, point: str, work: Callable[[], object]) -> Iterator[Pause]:
    """`work` stands still at a named point of the code (`chaos.point`), its transaction open, until `go_on` is set."""
    pause = Pause()
    mine: list[threading.Thread] = []

    def stand_still(name: str) -> None:
        if name == point and threading.current_thread() in mine:
            pause()

    def run() -> None:
        mine.append(threading.current_thread())
        work()

    monkeypatch.setattr("contacts.chaos.point", stand_still)
    with meanwhile(run):
        assert pause.reached.wait(30)
        try:
            yield pause
        finally:
            pause.go_on.set()


# -- a wait ------------------------------------------------------------------------------------------------------------


@CASES
def test_it_happens_while_the_arrival_is_not_committed(monkeypatch, steps, happens):
    contact = entered(steps)
    with paused_at(monkeypatch, "engine.applied", lambda: engine.advance_batch(lane="urgent")) as arrival:
        happens(contact)
        while intake.match_batch(lane="urgent"):
            pass
        with meanwhile(journeys.look_again):
            until_somebody_waits()  # for the enrolment that is arriving
            arrival.go_on.set()
    assert way(contact) == "yes"


@CASES
def test_it_happens_after_the_arrival_has_begun_and_is_looked_at_before_it_has_the_enrolment(
    monkeypatch, steps, happens
):
    contact = entered(steps)
    claim, pause = engine._claim, Pause()

    def claim_late(*args, **kwargs):
        if not pause.go_on.is_set():
            pause()
        return claim(*args, **kwargs)

    monkeypatch.setattr(engine, "_claim", claim_late)
    with meanwhile(lambda: engine.advance_batch(lane="urgent")):
        assert pause.reached.wait(30)  # the arrival's time is taken
        happens(contact)
        heard()
        assert not WatchCheck.objects.exists()
        pause.go_on.set()
    assert way(contact) == "yes"


@CASES
def test_it_happens_between_the_arrival_and_the_second_look(steps, happens):
    contact = entered(steps)
    engine.advance_batch(lane="urgent")
    assert journeys.enrolment(contact.pk).state == "waiting"
    happens(contact)
    heard()
    assert way(contact) == "yes"


@CASES
def test_it_is_committed_after_the_second_look_has_read(monkeypatch, steps, happens):
    contact = entered(steps)
    engine.advance_batch(lane="urgent")
    with paused_at(monkeypatch, "engine.applied", lambda: _look_twice(contact)) as second_look:
        happens(contact)
        while intake.match_batch(lane="urgent"):
            pass
        with meanwhile(journeys.look_again):
            until_somebody_waits()
            second_look.go_on.set()
    assert way(contact) == "yes"


def _look_twice(contact: Contact) -> None:
    """The second look, with its transaction held open: its batch has somebody else in it who moves on."""
    other = Contact.objects.create(email="mover@example.com")
    now = clock.now()
    Enrolment.objects.create(
        workflow=journeys.enrolment(contact.pk).workflow, version=journeys.enrolment(contact.pk).version,
        contact_id=other.pk, lane="urgent", state="active", step="no", wake_at=now, entered_at=now,
    )  # fmt: skip
    rebuild.replace()  # who came in by no door is counted first
    engine.advance_batch(lane="urgent")


@CASES
def test_it_happens_while_the_wait_lasts(steps, happens):
    contact = entered(steps)
    assert way(contact) == "waiting"
    happens(contact)
    heard()
    assert way(contact) == "yes"


@CASES
def test_doorbells_and_checks_may_come_often(steps, happens):
    contact = entered(steps)
    journeys.run()
    happens(contact)
    for _ in range(3):
        WatchCheck.objects.create(contact_id=contact.pk, lane="urgent", due_at=clock.now())
    with meanwhile(heard), meanwhile(heard), meanwhile(journeys.run):
        heard()
    assert way(contact) == "yes"
    assert [row[0] for row in journeys.path(journeys.enrolment(contact.pk).pk)] == ["wait", "wait", "yes"]


# -- an exit -----------------------------------------------------------------------------------------------------------

GOALS = pytest.mark.parametrize(
    ("rule", "happens"),
    [({"event": "order_completed"}, order), ({"condition": {"has_tag": "vip"}}, tag)],
    ids=["event", "condition"],
)


def publish_goal(rule: dict) -> Contact:
    journeys.publish(definition(PAUSE, exit={"goal": [rule]}))
    return journeys.contact()


def outcome(contact: Contact) -> str:
    journeys.run()
    return journeys.enrolment(contact.pk).exit_reason


@GOALS
def test_the_goal_is_reached_and_looked_at_while_the_enrolment_is_not_committed(monkeypatch, rule, happens):
    contact = publish_goal(rule)
    journeys.track(contact.pk, "signed_up", lane="bulk")
    with paused_at(monkeypatch, "intake.matched", lambda: intake.match_batch(lane="bulk")) as enrolment:
        happens(contact)  # in the other lane, which does not wait for this one
        heard()
        assert not WatchCheck.objects.exists() and not Enrolment.objects.exists()
        enrolment.go_on.set()
    assert outcome(contact) == "goal_achieved"


@GOALS
def test_the_goal_is_committed_after_the_new_enrolment_was_looked_at(rule, happens):
    contact = publish_goal(rule)
    journeys.track(contact.pk, "signed_up")
    recorded, committed = threading.Event(), threading.Event()

    def happen_slowly() -> None:
        with transaction.atomic():
            happens(contact)
            recorded.set()
            assert committed.wait(30)

    with meanwhile(happen_slowly):
        assert recorded.wait(30)
        try:
            heard()
            assert Enrolment.objects.get().state == "active" and not WatchCheck.objects.exists()
        finally:
            committed.set()
    assert outcome(contact) == "goal_achieved"


@GOALS
def test_the_goal_is_reached_before_the_entry_event_is_matched(rule, happens):
    contact = publish_goal(rule)
    journeys.track(contact.pk, "signed_up", lane="bulk")
    happens(contact)
    heard()
    assert outcome(contact) == "goal_achieved"


def test_no_step_runs_after_the_exit_was_decided(monkeypatch):
    journeys.publish(definition(TWO_TAGS, exit={"goal": [{"event": "order_completed"}]}))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up")
    heard()
    order(contact)
    while intake.match_batch(lane="urgent"):
        pass
    with paused_at(monkeypatch, "looking.locked", journeys.look_again) as look:
        assert not engine.advance_batch(lane="urgent"), "the enrolment is locked: the engine passes it over"
        look.go_on.set()
    assert outcome(contact) == "goal_achieved"
    assert [row[1] for row in journeys.path(journeys.enrolment(contact.pk).pk)] == ["left"]


def test_a_step_that_was_running_is_waited_for_and_then_judged(monkeypatch):
    journeys.publish(definition(TWO_TAGS, exit={"goal": [{"condition": {"has_tag": "one"}}]}))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up")
    heard()
    WatchCheck.objects.create(contact_id=contact.pk, lane="urgent", due_at=clock.now())
    advance = partial(engine.advance_batch, lane="urgent")
    with paused_at(monkeypatch, "engine.applied", advance) as running, meanwhile(journeys.look_again):
        until_somebody_waits()
        running.go_on.set()
    assert journeys.enrolment(contact.pk).exit_reason == "goal_achieved"
    path = journeys.path(journeys.enrolment(contact.pk).pk)
    assert [row[:2] for row in path] == [("one", "advanced"), ("two", "left")]


def test_two_looks_at_once_take_somebody_out_once():
    journeys.publish(definition(PAUSE, exit={"goal": [{"event": "order_completed"}]}))
    people = journeys.contacts(40)
    journeys.track(people, "signed_up")
    journeys.run()
    journeys.track(people, "order_completed")
    while intake.match_batch(lane="urgent"):
        pass
    WatchCheck.objects.bulk_create(
        [WatchCheck(contact_id=contact_id, lane="urgent", due_at=clock.now()) for contact_id in reversed(people)]
    )

    def look() -> None:
        for _ in range(12):
            transactions.run(lambda now: looking.look_batch("urgent", now, limit=7))

    with meanwhile(look), meanwhile(look):
        look()
    journeys.run()
    assert set(Enrolment.objects.values_list("exit_reason", flat=True)) == {"goal_achieved"}
    assert JournalEntry.objects.filter(outcome="left").count() == 40
    assert sum(CounterDelta.objects.filter(metric="exited:goal_achieved").values_list("amount", flat=True)) == 40


def test_an_exit_and_a_removal_by_hand_meet():
    journeys.publish(definition(PAUSE, exit={"goal": [{"event": "order_completed"}]}))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    order(contact)
    while intake.match_batch(lane="urgent"):
        pass
    enrolment = journeys.enrolment(contact.pk)
    with meanwhile(lambda: transactions.run(lambda now: exits.take_out([enrolment.pk], now, by="maya"))):
        journeys.look_again()
    assert [row[1] for row in journeys.path(enrolment.pk)].count("left") == 1


def test_an_import_of_new_people_asks_for_no_look_and_one_of_known_people_for_one_each():
    pro = {"field": "plan", "op": "eq", "value": "pro"}
    journeys.publish(definition({"wait": step("wait_for_condition", WAYS, timeout="P3D", **{"if": pro}), **ENDS}))

    def load(plan: str) -> None:
        people = [Row(n, Person({"external_id": f"c{n}"}, {"plan": plan})) for n in range(30)]
        transactions.run(lambda now: bulk.store(people, options=Options(), source="import", now=now))

    load("free")
    assert Contact.objects.count() == 30
    assert WatchCheck.objects.count() == 0
    load("pro")
    assert list(WatchCheck.objects.values_list("lane", flat=True)) == ["bulk"] * 30
