"""What came in is counted with it, by hour, source and outcome."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction

from contacts import consent, events, tallies, tasks
from contacts.events import OwnEvent
from contacts.faults import Fault
from contacts.models import Contact, IntakeDelta, IntakeTally
from tests.contacts.conftest import event, record, together

pytestmark = pytest.mark.django_db


def counted(now) -> dict[tuple[str, str], int]:
    return {(tally.source, tally.outcome): tally.amount for tally in tallies.hours(now, now)}


def test_every_outcome_of_a_batch_is_counted(now, settings):
    settings.RESIDENCY_ALLOWED = ["eu"]
    no = {"consent": {"categoryPreferences": {"tracking": False}}}
    record(
        event("ada", key="1"),
        event("ada", key="1"),
        event("bob", key="2", context=no),
        event("eve", at=now + timedelta(days=2)),
        event("joe", context={"region": "us"}),
        event("jim", context={"region": "US"}),
        event("bad", properties={"x": "\x00"}),
        now=now,
        refused=[[Fault("missing", "is missing"), Fault("type", "must be")], [Fault("type", "must be")]],
    )
    assert counted(now) == {
        ("api", "accepted"): 2,
        ("api", "duplicate"): 1,
        ("api", "held"): 1,
        ("api", "rejected:future"): 1,
        ("api", "rejected:residency"): 2,
        ("api", "rejected:refused"): 1,
        ("api", "rejected:missing"): 1,
        ("api", "rejected:type"): 1,
    }


def test_what_we_say_ourselves_did_not_come_in(now):
    with transaction.atomic():
        events.record_own([OwnEvent(Contact.objects.create().id, "tag_added", {}, key="1")], now=now)
    assert counted(now) == {}


def test_the_counts_of_a_batch_that_failed_are_gone_with_it(now):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        events.record_batch([event("ada")], source="api", now=now)
        raise ZeroDivisionError
    assert counted(now) == {}


def test_folding_changes_the_place_and_not_the_numbers(now):
    for n, at in enumerate([now, now, now + timedelta(hours=1)]):
        tallies.count({"accepted": n + 1, "duplicate": 0}, source="kafka", now=at)
    before = tallies.hours(now, now + timedelta(hours=1))
    assert [(tally.hour, tally.amount) for tally in before] == [(now, 3), (now + timedelta(hours=1), 3)]
    assert tallies.fold(limit=2)
    tallies.count({"accepted": 10}, source="kafka", now=now)
    tasks.fold_tallies()
    assert not IntakeDelta.objects.exists()
    assert IntakeTally.objects.count() == 2
    after = tallies.hours(now, now + timedelta(hours=1))
    assert [tally.amount for tally in after] == [13, 3]
    assert not tallies.fold()


def test_only_the_hours_that_are_asked_for(now):
    for hours in range(5):
        tallies.count({"accepted": 1}, source="api", now=now - timedelta(hours=hours))
    assert len(tallies.hours(now - timedelta(hours=2, minutes=30), now)) == 4


@pytest.mark.django_db(transaction=True)
def test_two_folders_count_nothing_twice(now):
    for _ in range(200):
        tallies.count({"accepted": 1}, source="api", now=now)

    def fold() -> None:
        while tallies.fold(limit=7):
            pass

    together(fold, fold)
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(amount) FROM intake_tallies")
        assert cursor.fetchone()[0] == 200


def test_a_restricted_person_is_held_whatever_was_agreed(now):
    ada = Contact.objects.create()
    consent.record([consent.Consent(ada.id, "data_processing", "denied")], source="api", now=now)
    yes = {"consent": {"categoryPreferences": {"tracking": True}}}
    record(event(ada.id, context=yes), now=now)
    assert counted(now)["api", "held"] == 1
