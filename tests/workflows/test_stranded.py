"""Enrolments that nothing would bring on: made by hand here, found and mended by the doctor."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection

from contacts import clock, redis_index
from tests import journeys
from tests.journeys import definition, step
from workflows import intake, timers
from workflows.failures import stranded
from workflows.models import DeadLetter, Enrolment, EnrolmentBrake, Workflow

pytestmark = pytest.mark.django_db(transaction=True)

TAG = {"tag": step("add_tag", tag="been-here")}
PAUSE = {"rest": step("wait", {"next": "tag"}, mode="duration", **{"for": "PT1H"}), **TAG}


def enter(count: int, document: dict) -> None:
    journeys.publish(document)
    journeys.track(journeys.contacts(count), "signed_up")
    while intake.match_batch(lane="urgent"):
        pass


def change(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def age() -> None:
    """As if all of it had been so for a while."""
    change("UPDATE workflows SET updated_at = updated_at - interval '1 hour'")
    change("UPDATE workflow_enrolments SET entered_at = entered_at - interval '1 hour'")


def look() -> list[str]:
    return stranded.look(now=clock.now())


def mend() -> None:
    stranded.mend(now=clock.now())
    assert look() == []


def test_a_house_where_everybody_is_under_way_has_nobody_stranded():
    enter(3, definition(PAUSE, settings={"concurrency_cap": 1}))
    journeys.run()
    age()
    assert look() == []


def test_laid_aside_in_a_journey_that_is_not_paused():
    enter(2, definition(TAG))
    change("UPDATE workflow_enrolments SET held = true, wake_at = wake_at - interval '1 hour'")
    assert look() == [], "a resumption may be at work"
    age()
    assert look() == ["2 are laid aside in a journey that is not paused"]
    mend()
    journeys.run()
    assert Enrolment.objects.filter(state="completed").count() == 2


def test_wanting_into_a_journey_that_would_let_them_in():
    enter(2, definition(TAG))
    change("UPDATE workflow_enrolments SET state = 'pending'")
    age()
    assert look() == ["2 want into a journey that would let them in"]
    mend()
    journeys.run()
    assert Enrolment.objects.filter(state="completed").count() == 2


def test_whom_the_brake_holds_is_not_stranded():
    enter(1, definition(TAG))
    change("UPDATE workflow_enrolments SET state = 'pending'")
    EnrolmentBrake.objects.create(workflow=Workflow.objects.get(), braked_at=clock.now(), rate=1, usual=1)
    age()
    assert look() == []


def test_waiting_past_the_places_of_a_journey_with_a_cap():
    enter(2, definition(PAUSE, settings={"concurrency_cap": 1}))
    journeys.run()
    change("UPDATE workflow_enrolments SET held = false")
    assert look() == ["2 wait past the places of a journey with a cap"]
    mend()
    assert Enrolment.objects.filter(held=True).count() == 2


def test_held_though_they_are_not_under_way():
    enter(1, definition(TAG))
    journeys.run()
    change("UPDATE workflow_enrolments SET held = true")
    assert look() == ["1 are held though they are not under way"]
    mend()


def test_failed_and_in_no_list_of_failed_steps():
    """As those who failed before there were dead letters."""
    enter(1, definition(TAG))
    change(
        "WITH failed AS (UPDATE workflow_enrolments SET state = 'failed', exit_reason = 'failed', finished_at = now(),"
        " seq = 1 RETURNING *) INSERT INTO workflow_journal (enrolment_id, seq, contact_id, version_id, step,"
        " step_type, outcome, port, detail, at) SELECT id, 1, contact_id, version_id, step, 'add_tag', 'failed', '',"
        """ '{"error": "KeyError"}', now() FROM failed"""
    )
    assert look() == ["1 failed and are in no list of failed steps"]
    mend()
    letter = DeadLetter.objects.get()
    assert (letter.error, letter.category, letter.seq, letter.state) == ("KeyError", "permanent", 1, "open")


def test_waits_that_the_timer_index_does_not_know():
    enter(3, definition(PAUSE))
    journeys.run()
    timers.rebuild(now=clock.now())
    assert look() == []
    redis_index.connection().zpopmin(timers._key("urgent"), 2)
    assert look() == ["2 waits are missing from the timer index"]
    mend()
    assert timers.count_missing(now=clock.now() + timedelta(hours=2)) == 0


def test_the_doctor_finds_and_mends_them(capsys):
    enter(1, definition(TAG))
    change("UPDATE workflow_enrolments SET state = 'pending'")
    age()
    with pytest.raises(SystemExit):
        call_command("doctor")
    assert "enrolments: 1 want into a journey that would let them in" in capsys.readouterr().out
    call_command("doctor", fix=True)
    assert "enrolments: mended" in capsys.readouterr().out


def test_a_brake_that_holds_is_a_finding(capsys):
    enter(1, definition(TAG))
    EnrolmentBrake.objects.create(workflow=Workflow.objects.get(), braked_at=clock.now(), rate=2000, usual=7)
    with pytest.raises(SystemExit):
        call_command("doctor")
    assert "brake: journey is braked: 2000 entered within an hour, 7 at most before; 0 wait" in capsys.readouterr().out
