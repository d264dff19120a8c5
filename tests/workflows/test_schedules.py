"""Workflows that start by the calendar: each occurrence once, whoever sees it due."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction

from contacts import chaos, clock, transactions
from contacts.audiences import filling, membership, segments
from tests import journeys
from tests.journeys import definition, step
from workflows import publishing
from workflows.entry import entry_runs, schedules
from workflows.models import Enrolment, EntryRun, TriggerSchedule

pytestmark = pytest.mark.django_db(transaction=True)

END = {"tag": step("add_tag", tag="t")}
WEEKLY = "FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0;BYSECOND=0"
PRO = {"field": "plan", "op": "eq", "value": "pro"}


def segment() -> None:
    with transaction.atomic():
        segments.create(slug="pros", name="Pros", condition=PRO, now=clock.now())
    while transactions.run(filling.fill_batch):
        pass
    for lane in ("urgent", "bulk"):
        while transactions.run(partial(membership.check_batch, lane)):
            pass


def journey(rrule: str = WEEKLY, **entry) -> dict:
    trigger = {"type": "schedule", "rrule": rrule, "segment": "pros"}
    return definition(END, entry={"trigger": trigger, **entry}, settings={"default_timezone": "Europe/Berlin"})


def plan() -> TriggerSchedule:
    return TriggerSchedule.objects.get()


def start(now) -> bool:
    with transaction.atomic():
        return schedules.start_due(now=now)


def test_at_its_time_everybody_of_the_segment_enters():
    pros = journeys.contacts(2, attributes={"plan": "pro"})
    journeys.contact("free@example.com")
    segment()
    journeys.publish(journey(re_entry={"policy": "every_time"}))
    due = plan().next_at
    assert (due.weekday(), due.astimezone(ZoneInfo("Europe/Berlin")).hour) == (0, 9)
    assert not start(due - timedelta(seconds=1))
    assert start(due) and not start(due)
    assert plan().next_at > due
    while entry_runs.enter_slice():
        pass
    assert list(Enrolment.objects.order_by("contact_id").values_list("contact_id", flat=True)) == pros
    assert Enrolment.objects.first().trigger["type"] == "schedule"
    assert Enrolment.objects.first().trigger["properties"] == {"scheduled_for": due.isoformat()}
    assert EntryRun.objects.get().scheduled_for == due


def test_three_processes_that_see_it_due_at_once_start_one_run(monkeypatch):
    segment()
    journeys.publish(journey())
    due = plan().next_at
    seen = threading.Barrier(3, timeout=20)
    monkeypatch.setattr(chaos, "point", lambda place: seen.wait() if place == "schedules.seen" else None)
    problems: list[Exception] = []

    def work() -> None:
        try:
            start(due)
        except Exception as error:
            problems.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert problems == [] and EntryRun.objects.count() == 1


def test_what_was_missed_while_nothing_ran_is_made_up_for_once():
    segment()
    journeys.publish(journey())
    due = plan().next_at
    assert start(due + timedelta(days=21, hours=3))
    assert not start(due + timedelta(days=21, hours=3))
    runs = EntryRun.objects.all()
    assert [run.scheduled_for.date() for run in runs] == [(due + timedelta(days=21)).date()]


def test_a_paused_journey_lets_its_occurrences_pass(now):
    segment()
    journeys.publish(journey())
    due = plan().next_at
    publishing.pause(slug="journey", now=now)
    assert start(due)
    publishing.resume(slug="journey", now=now)
    assert not start(due) and not EntryRun.objects.exists()
    assert plan().next_at > due


def test_publishing_replaces_the_schedule_and_archiving_removes_it(now):
    segment()
    journeys.publish(journey())
    before = plan().next_at
    journeys.publish(journey("FREQ=DAILY;BYHOUR=3;BYMINUTE=0;BYSECOND=0"))
    assert plan().next_at != before
    journeys.publish(definition(END))
    assert not TriggerSchedule.objects.exists()
    journeys.publish(journey())
    publishing.archive(slug="journey", now=now)
    assert not TriggerSchedule.objects.exists()


def test_a_schedule_that_is_over_waits_for_nothing():
    segment()
    journeys.publish(journey("FREQ=DAILY;UNTIL=20200101"))
    assert plan().next_at is None


def test_the_sweeper_rings_for_an_occurrence_that_is_due():
    from workflows import sweep

    segment()
    journeys.publish(journey())
    due = plan().next_at
    bell = (entry_runs.BELL, "bulk")
    assert bell not in sweep.ring_where_work_waits(now=due - timedelta(seconds=1))
    assert bell in sweep.ring_where_work_waits(now=due)
