"""A pause: nobody advances, nobody is looked at again and again, nobody is lost."""

import threading

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import clock, transactions
from tests import journeys
from tests.journeys import definition, step
from workflows import admission, engine, intake, pausing, publishing, sweep
from workflows.models import Enrolment

pytestmark = pytest.mark.django_db(transaction=True)

TAG = {"tag": step("add_tag", tag="been-here")}
PAUSE = {"rest": step("wait", {"next": "tag"}, mode="duration", **{"for": "PT1H"}), **TAG}


def enter(count: int, document: dict) -> list[int]:
    journeys.publish(document)
    ids = journeys.contacts(count)
    journeys.track(ids, "signed_up")
    while intake.match_batch(lane="urgent"):
        pass
    return ids


def pause(slug: str = "journey") -> None:
    transactions.run(lambda now: publishing.pause(slug=slug, now=now))


def resume(slug: str = "journey") -> None:
    transactions.run(lambda now: publishing.resume(slug=slug, now=now))


def advance() -> None:
    while engine.advance_batch(lane="urgent"):
        pass


def test_what_is_due_in_a_paused_workflow_is_laid_aside_and_not_met_again():
    enter(30, definition(TAG))
    pause()
    assert engine.advance_batch(lane="urgent", limit=20), "it met somebody"
    assert Enrolment.objects.filter(held=True, seq=0).count() == 20
    advance()
    assert Enrolment.objects.filter(held=True, seq=0, state="active").count() == 30
    assert not engine.advance_batch(lane="urgent")


def test_others_pass_by_those_who_are_laid_aside():
    enter(700, definition(TAG, slug="paused"))
    pause("paused")
    other = journeys.contact("other@example.com")
    journeys.publish(definition(TAG, slug="other"))
    journeys.track(other.pk, "signed_up")
    journeys.run()
    assert journeys.enrolment(other.pk, "other").state == "completed"
    assert Enrolment.objects.filter(workflow__slug="paused", held=True).count() == 700


def test_a_resumption_takes_everybody_up_again_in_the_order_of_their_wake_times():
    ids = enter(30, definition(TAG))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE workflow_enrolments SET wake_at = now() - contact_id * interval '1 second'")
    pause()
    advance()
    resume()
    assert pausing.release_batch()
    assert not Enrolment.objects.filter(held=True).exists()
    engine.advance_batch(lane="urgent", limit=10)
    done = Enrolment.objects.filter(state="completed").values_list("contact_id", flat=True)
    assert sorted(done) == sorted(ids)[-10:]


def test_waits_that_end_during_a_pause_go_on_after_it():
    enter(3, definition(PAUSE))
    advance()
    pause()
    journeys.wake_all()
    advance()
    assert Enrolment.objects.filter(state="waiting", held=True).count() == 3
    resume()
    journeys.run()
    assert Enrolment.objects.filter(state="completed", seq=3).count() == 3


def test_what_the_cap_holds_stays_with_admission():
    enter(3, definition(PAUSE, settings={"concurrency_cap": 1}))
    for _ in range(3):
        admission.admit_batch(lane="urgent")
        advance()
    journeys.wake_all()
    pause()
    resume()
    assert not pausing.release_batch()
    assert Enrolment.objects.filter(state="waiting", held=True, capped=True).count() == 3
    journeys.run()
    assert Enrolment.objects.filter(state="completed").count() == 3


def test_a_capped_one_that_is_laid_aside_keeps_its_place():
    enter(2, definition(TAG, settings={"concurrency_cap": 1}))
    admission.admit_batch(lane="urgent")
    pause()
    advance()
    assert Enrolment.objects.filter(state="active", held=True).count() == 1
    resume()
    assert not admission.admit_batch(lane="urgent")
    journeys.run()
    assert Enrolment.objects.filter(state="completed").count() == 2


def test_nothing_is_taken_up_while_it_is_paused_again():
    enter(5, definition(TAG))
    pause()
    advance()
    resume()
    pause()
    assert not pausing.release_batch()
    assert Enrolment.objects.filter(held=True).count() == 5


def test_the_released_do_not_fill_the_lane(monkeypatch):
    monkeypatch.setattr(pausing, "AHEAD", 8)
    monkeypatch.setattr(pausing, "BATCH", 5)
    enter(20, definition(TAG))
    pause()
    advance()
    resume()
    assert pausing.release_batch() and pausing.release_batch()
    assert not pausing.release_batch(), "there are eight in the lane already"
    assert Enrolment.objects.filter(held=False).count() == 8
    journeys.run()
    assert Enrolment.objects.filter(state="completed").count() == 20


def test_a_lost_bell_is_found_by_the_sweep():
    enter(1, definition(TAG))
    pause()
    advance()
    assert ("workflows.release", "bulk") not in sweep.ring_where_work_waits(now=clock.now())
    resume()
    assert ("workflows.release", "bulk") in sweep.ring_where_work_waits(now=clock.now())


def test_pausing_and_resuming_quickly_while_workers_work_loses_nobody_and_doubles_nobody():
    enter(600, definition(PAUSE))
    over = threading.Event()
    problems: list[Exception] = []

    def work(deed) -> None:
        try:
            while not over.is_set():
                deed()
        except Exception as error:
            problems.append(error)
        finally:
            connection.close()

    deeds = [lambda: engine.advance_batch(lane="urgent", limit=13)] * 2 + [pausing.release_batch]
    workers = [threading.Thread(target=work, args=[deed]) for deed in deeds]
    for worker in workers:
        worker.start()
    for _ in range(40):
        pause()
        resume()
    over.set()
    for worker in workers:
        worker.join()
    assert problems == []
    journeys.run()
    journeys.wake_all()
    journeys.run()
    assert Enrolment.objects.filter(state="completed", seq=3).count() == 600


def test_a_claim_that_saw_the_pause_lays_nothing_aside_once_it_is_over(monkeypatch):
    """Else it would lie there when the resumption has already looked."""
    (contact_id,) = enter(1, definition(TAG))
    pause()
    real = pausing.park

    def park_late(due):
        other = threading.Thread(target=lambda: (resume(), connection.close()))
        other.start()
        other.join()
        return real(due)

    monkeypatch.setattr(pausing, "park", park_late)
    assert not engine.advance_batch(lane="urgent")
    assert not journeys.enrolment(contact_id).held
    monkeypatch.undo()
    journeys.run()
    assert journeys.enrolment(contact_id).state == "completed"


def test_laying_aside_costs_the_same_statements_whatever_the_number():
    def cost(count: int, slug: str) -> int:
        journeys.publish(definition(TAG, slug=slug))
        rows = [journeys.contact(f"{slug}{n}@example.com").pk for n in range(count)]
        journeys.track(rows, "signed_up")
        while intake.match_batch(lane="urgent"):
            pass
        pause(slug)
        with CaptureQueriesContext(connection) as queries:
            assert engine.advance_batch(lane="urgent")
        return len(queries)

    small = cost(3, "small")
    advance()
    assert small == cost(100, "large")
