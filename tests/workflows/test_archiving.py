"""An archived journey: everybody leaves, however many they are and whenever they came."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from contacts import chaos, clock, transactions
from tests import journeys
from tests.journeys import definition, step
from workflows import archiving, engine, intake, publishing, sweep
from workflows.models import Enrolment

pytestmark = pytest.mark.django_db(transaction=True)

TAG = {"tag": step("add_tag", tag="been-here")}
REST = {"rest": step("wait", mode="duration", **{"for": "P1D"})}


def archive() -> None:
    transactions.run(lambda now: publishing.archive(slug="journey", now=now))


def elsewhere(work: Callable[[], None]) -> None:
    """On another connection, to its end."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


@pytest.fixture
def late(monkeypatch):
    """Somebody whom intake takes in though the journey was archived after it began."""

    def taken_in(document: dict) -> int:
        journeys.publish(document)
        contact_id = journeys.contact().pk
        journeys.track(contact_id, "signed_up")
        with monkeypatch.context() as patch:
            patch.setattr(chaos, "point", lambda name: elsewhere(archive) if name == "intake.taken" else None)
            assert intake.match_batch(lane="urgent")
        assert journeys.enrolment(contact_id).finished_at is None, "this is the race"
        return contact_id

    return taken_in


def test_who_was_taken_in_while_it_was_archived_takes_no_step_and_leaves(late):
    contact_id = late(definition(TAG))
    assert engine.advance_batch(lane="urgent")
    enrolment = journeys.enrolment(contact_id)
    assert (enrolment.state, enrolment.exit_reason) == ("exited", "workflow_archived")
    assert journeys.path(enrolment.pk) == [("tag", "left", "")]


def test_who_waits_for_a_place_of_a_journey_that_was_archived_meanwhile_is_found_by_the_sweep(late):
    contact_id = late(definition(TAG, settings={"concurrency_cap": 1}))
    assert not engine.advance_batch(lane="urgent")
    assert (archiving.BELL, archiving.BELL_LANE) in sweep.ring_where_work_waits(now=clock.now())
    assert transactions.run(archiving.empty_batch)
    assert journeys.enrolment(contact_id).exit_reason == "workflow_archived"
    assert not archiving.is_work_waiting()
    assert not transactions.run(archiving.empty_batch)


def test_a_large_journey_empties_batch_by_batch(monkeypatch):
    monkeypatch.setattr(archiving, "BATCH", 20)
    journeys.publish(definition(REST))
    journeys.track(journeys.contacts(50), "signed_up")
    journeys.run()
    left = Enrolment.objects.filter(exit_reason="workflow_archived")
    archive()
    assert left.count() == 20
    assert transactions.run(archiving.empty_batch)
    assert left.count() == 40
    journeys.run()
    assert left.count() == 50
    assert not archiving.is_work_waiting()
