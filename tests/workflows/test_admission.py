"""Who may be active in a workflow with a concurrency cap, and in which order the places are given."""

import contextlib
import threading
import time
from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import chaos, clock
from contacts.models import ContactTag
from tests import journeys
from tests.journeys import definition, step
from workflows import admission, engine, intake, publishing, sweep
from workflows.models import Enrolment, EnrolmentBrake, Workflow
from workflows.watches import exits

pytestmark = pytest.mark.django_db(transaction=True)

TAG = {"tag": step("add_tag", tag="been-here")}
PAUSE = {"pause": step("wait", {"next": "tag"}, mode="duration", **{"for": "PT1H"}), **TAG}


def capped(cap: int | None, steps: dict | None = None, **settings) -> dict:
    return definition(steps or TAG, settings={"concurrency_cap": cap, **settings})


def enter(count: int, document: dict, *, lane: str = "urgent") -> list[int]:
    journeys.publish(document)
    return come(count, lane=lane)


def come(count: int, *, lane: str = "urgent") -> list[int]:
    known = Enrolment.objects.count()
    rows = [journeys.contact(f"{lane}{known + n}@example.com").pk for n in range(count)]
    journeys.track(rows, "signed_up", lane=lane)
    while intake.match_batch(lane=lane):
        pass
    return rows


def states() -> Counter[str]:
    return Counter(Enrolment.objects.values_list("state", flat=True))


def workflow_id() -> int:
    return Workflow.objects.get().pk


def test_whoever_enters_a_capped_workflow_waits_for_a_place():
    enter(5, capped(2))
    assert states() == {"pending": 5}
    assert admission.admit_batch(lane="urgent")
    assert states() == {"pending": 3, "active": 2}
    assert not admission.admit_batch(lane="urgent"), "there is no place left"
    while engine.advance_batch(lane="urgent"):
        pass
    assert states() == {"pending": 3, "completed": 2}


def test_nobody_is_lost_and_the_cap_is_never_exceeded():
    ids = enter(57, capped(5))
    most = 0
    for _ in range(200):
        if not admission.admit_batch(lane="urgent"):
            break
        most = max(most, states()["active"])
        engine.advance_batch(lane="urgent")
    assert (most, states()) == (5, {"completed": 57})
    assert set(ContactTag.objects.values_list("contact_id", flat=True)) == set(ids)


def test_who_waits_takes_no_place_and_asks_for_one_when_the_wait_is_over():
    enter(4, capped(2, PAUSE))
    for _ in range(4):
        admission.admit_batch(lane="urgent")
        engine.advance_batch(lane="urgent")
    assert states() == {"waiting": 4}
    assert Enrolment.objects.filter(held=True).count() == 4
    journeys.wake_all()
    assert not engine.advance_batch(lane="urgent"), "a due wait stays where it is until there is a place"
    assert admission.admit_batch(lane="urgent")
    assert states() == {"waiting": 2, "active": 2}
    assert Enrolment.objects.filter(state="active", waiting_since__isnull=False, held=False).count() == 2
    journeys.run()
    assert states() == {"completed": 4}
    assert {tuple(journeys.path(row.pk)) for row in Enrolment.objects.all()} == {
        (("pause", "waiting", ""), ("pause", "advanced", "next"), ("tag", "advanced", "next"))
    }


def test_who_goes_on_comes_before_who_begins():
    (first,) = enter(1, capped(1, PAUSE))
    admission.admit_batch(lane="urgent")
    engine.advance_batch(lane="urgent")
    (second,) = come(1)
    journeys.wake_all()
    admission.admit_batch(lane="urgent")
    assert (journeys.enrolment(first).state, journeys.enrolment(second).state) == ("active", "pending")


def test_of_those_who_want_in_the_urgent_come_first_then_priority_then_age():
    (bulk_low,) = enter(1, capped(1, priority=2), lane="bulk")
    (urgent_low, urgent_low_too) = come(2)
    journeys.publish(capped(1, priority=8))
    (bulk_high,) = come(1, lane="bulk")
    (urgent_high,) = come(1)
    order = []
    while admission.admit(workflow_id()):
        active = Enrolment.objects.get(state="active")
        order.append(active.contact_id)
        while engine.advance_batch(lane=active.lane):
            pass
    assert order == [urgent_high, urgent_low, urgent_low_too, bulk_high, bulk_low]


def test_the_urgent_bell_lets_nobody_of_the_bulk_lane_begin():
    enter(3, capped(2), lane="bulk")
    assert not admission.admit_batch(lane="urgent")
    assert admission.admit_batch(lane="bulk")
    assert states() == {"pending": 1, "active": 2}


def test_a_raised_cap_lets_more_in_and_none_lets_all_in():
    enter(10, capped(2))
    admission.admit_batch(lane="urgent")
    journeys.publish(capped(5))
    admission.admit_batch(lane="urgent")
    assert states() == {"pending": 5, "active": 5}
    journeys.publish(capped(None))
    admission.admit_batch(lane="urgent")
    assert states() == {"active": 10}
    assert Enrolment.objects.filter(capped=True).count() == 5, "who began under the cap keeps counting"


def test_a_lowered_cap_throws_nobody_out():
    enter(6, capped(4))
    admission.admit_batch(lane="urgent")
    journeys.publish(capped(2))
    assert not admission.admit_batch(lane="urgent")
    assert states() == {"pending": 2, "active": 4}


def test_who_entered_before_there_was_a_cap_takes_no_place():
    enter(3, capped(None))
    journeys.publish(capped(2))
    come(3)
    admission.admit_batch(lane="urgent")
    assert states() == {"active": 5, "pending": 1}


def test_who_leaves_gives_the_place_back():
    (first, second) = enter(2, capped(1))
    admission.admit_batch(lane="urgent")
    exits.leave([journeys.enrolment(first).pk], reason="manually_removed", now=clock.now())
    assert admission.admit_batch(lane="urgent")
    assert journeys.enrolment(second).state == "active"


def test_nobody_begins_while_the_workflow_is_paused():
    enter(2, capped(1))
    publishing.pause(slug="journey", now=clock.now())
    assert not admission.admit_batch(lane="urgent") and not admission.admit(workflow_id())
    publishing.resume(slug="journey", now=clock.now())
    journeys.run()
    assert states() == {"completed": 2}


def test_nobody_begins_while_the_brake_holds_but_who_is_under_way_goes_on():
    enter(1, capped(3, PAUSE))
    admission.admit_batch(lane="urgent")
    engine.advance_batch(lane="urgent")
    come(2)
    EnrolmentBrake.objects.create(workflow_id=workflow_id(), braked_at=clock.now(), rate=9, usual=1)
    journeys.wake_all()
    journeys.run()
    assert states() == {"completed": 1, "pending": 2}


def test_a_lost_bell_is_found_by_the_sweep():
    enter(2, capped(1))
    assert ("workflows.admit", "urgent") in sweep.ring_where_work_waits(now=clock.now())
    journeys.run()
    assert ("workflows.admit", "urgent") not in sweep.ring_where_work_waits(now=clock.now())


@pytest.fixture
def bells(monkeypatch):
    rung: list[tuple[str, str]] = []
    monkeypatch.setattr("contacts.doorbell.ring", lambda task, lane: rung.append((task, lane)))
    return rung


def test_the_bell_rings_when_somebody_wants_in_when_a_place_is_free_and_when_the_cap_is_raised(bells):
    enter(2, capped(1, PAUSE))
    assert ("workflows.admit", "urgent") in bells
    bells.clear()
    admission.admit_batch(lane="urgent")
    assert bells == [("workflows.advance", "urgent")]
    bells.clear()
    engine.advance_batch(lane="urgent")  # active -> waiting: the place is free
    assert ("workflows.admit", "urgent") in bells
    bells.clear()
    journeys.publish(capped(9))
    assert ("workflows.admit", "bulk") in bells


def statements(count: int) -> int:
    come(count)
    with CaptureQueriesContext(connection) as queries:
        assert admission.admit(workflow_id()) == count
    return len(queries)


def test_admission_costs_the_same_statements_whatever_the_number():
    journeys.publish(capped(1000))
    assert statements(3) == statements(200) <= 10  # the transaction's own included


def race() -> int:
    """Four workers over the same workflow, who meet after counting the places, and then take them one after another: at
    once they would all reach for the same people. Returns how many got a place."""
    everybody_is_here, everybody_counted = threading.Barrier(4), threading.Barrier(4)
    problems: list[Exception] = []
    real = chaos.point

    def meet(name: str) -> None:
        if name == "admission.counted":
            with contextlib.suppress(threading.BrokenBarrierError):
                time.sleep(everybody_counted.wait(timeout=1.0) * 0.2)
        real(name)

    def work() -> None:
        try:
            connection.ensure_connection()
            everybody_is_here.wait(timeout=30)
            admission.admit(admission_of)
        except Exception as error:
            problems.append(error)
        finally:
            connection.close()

    admission_of = workflow_id()
    patch = pytest.MonkeyPatch()
    patch.setattr("workflows.admission.chaos.point", meet)
    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    patch.undo()
    assert problems == []
    return states()["active"]


def test_workers_side_by_side_never_exceed_the_cap():
    enter(40, capped(7))
    assert race() == 7


def test_the_race_catches_an_admission_that_takes_no_lock(monkeypatch):
    enter(40, capped(7))
    monkeypatch.setattr("contacts.chaos._mutants", frozenset({"admission.no_lock"}))
    assert race() > 7
