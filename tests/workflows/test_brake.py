"""The brake: a flood that the history does not explain waits for a person, and nobody is lost."""

from datetime import timedelta

import pytest
from django.db import transaction

from contacts import clock, transactions
from tests import journeys
from tests.journeys import definition, step
from workflows import intake, sweep, versions
from workflows.entry import brake, enrol
from workflows.models import Enrolment, EnrolmentBrake, EntryTally, Workflow

pytestmark = pytest.mark.django_db(transaction=True)

TAG = {"tag": step("add_tag", tag="been-here")}


@pytest.fixture(autouse=True)
def small(settings):
    settings.ENROLMENT_BRAKE_FACTOR = 5.0
    settings.ENROLMENT_BRAKE_SAMPLE = 20


@pytest.fixture
def journey() -> Workflow:
    journeys.publish(definition(TAG))
    return Workflow.objects.get()


def history(workflow: Workflow, per_hour: int, *, days: float = 7) -> None:
    now = clock.now()
    hours = range(2, int(days * 24))
    with transaction.atomic():
        for hour in hours:
            brake.note({workflow.pk: per_hour}, now=now - timedelta(hours=hour))
    look()


def look() -> None:
    while transactions.run(lambda now: brake.look(now=now)):
        pass


def come(count: int) -> list[int]:
    start = Enrolment.objects.count()
    ids = [journeys.contact(f"c{start + n}@example.com").pk for n in range(count)]
    journeys.track(ids, "signed_up")
    while intake.match_batch(lane="urgent"):
        pass
    return ids


def test_a_flood_is_braked_and_who_comes_then_waits(journey):
    history(journey, 3)
    come(25)
    look()
    (held,) = brake.held()
    assert (held.slug, held.rate, held.usual, held.waiting) == ("journey", 25, 3, 0)
    come(4)
    journeys.run()
    assert Enrolment.objects.filter(state="completed").count() == 25
    assert Enrolment.objects.filter(state="pending").count() == 4
    assert brake.held()[0].waiting == 4


def test_a_release_lets_everybody_begin_and_does_not_brake_again_at_once(journey):
    history(journey, 3)
    come(25)
    look()
    come(4)
    assert transactions.run(lambda now: brake.release(journey.pk, by="ada", now=now))
    assert not transactions.run(lambda now: brake.release(journey.pk, by="ada", now=now))
    come(30)
    look()
    journeys.run()
    assert brake.held() == []
    assert Enrolment.objects.filter(state="completed").count() == 59


def test_what_was_released_is_history_an_hour_later(journey):
    history(journey, 3)
    come(25)
    look()
    transactions.run(lambda now: brake.release(journey.pk, by="ada", now=now))
    for table, column in ((EntryTally, "at"), (EnrolmentBrake, "released_at")):
        for row in table.objects.all():
            setattr(row, column, getattr(row, column) - timedelta(hours=2))
            row.save()
    come(25)
    look()
    assert brake.held() == []
    come(110)
    look()
    assert brake.held()[0].usual == 25


@pytest.mark.parametrize(
    ("per_hour", "days", "count"),
    [(3, 7, 19), (6, 7, 25), (3, 2, 100), (0, 0, 100)],
    ids=["too few to judge", "not more than explained", "too young", "no history"],
)
def test_it_does_not_misfire(journey, per_hour, days, count):
    if days:
        history(journey, per_hour, days=days)
    come(count)
    look()
    assert brake.held() == []


def test_a_daily_peak_is_no_surprise(journey):
    history(journey, 1)
    with transaction.atomic():
        brake.note({journey.pk: 30}, now=clock.now() - timedelta(days=1))
    come(60)
    look()
    assert brake.held() == []


def test_a_factor_of_nothing_switches_it_off(journey, settings):
    settings.ENROLMENT_BRAKE_FACTOR = 0
    come(30)
    assert not EntryTally.objects.exists()


def test_whom_a_person_let_in_after_a_count_is_not_counted_and_does_not_wait(journey):
    history(journey, 3)
    come(25)
    look()
    version = versions.load([journey.live_version_id])[journey.live_version_id]
    contact = journeys.contact("confirmed@example.com")
    from workflows import serializable

    candidate = enrol.Candidate(version, contact.pk, None, "", "bulk", {"type": "manual"}, confirmed=True)
    serializable.run(lambda: enrol.enrol([candidate], now=clock.now()))
    assert journeys.enrolment(contact.pk).state == "active"
    assert not EntryTally.objects.filter(folded=False).exists()


def test_other_workflows_go_on(journey):
    history(journey, 3)
    come(25)
    look()
    journeys.publish(definition(TAG, slug="other"))
    (contact_id,) = come(1)
    journeys.run()
    assert journeys.enrolment(contact_id, "other").state == "completed"
    assert journeys.enrolment(contact_id).state == "pending"


def test_the_sweep_rings_for_the_brake_when_somebody_entered(journey):
    assert ("workflows.brake", "housekeeping") not in sweep.ring_where_work_waits(now=clock.now())
    come(1)
    assert ("workflows.brake", "housekeeping") in sweep.ring_where_work_waits(now=clock.now())


def test_old_history_is_forgotten(journey):
    with transaction.atomic():
        brake.note({journey.pk: 5}, now=clock.now() - timedelta(days=16))
        brake.note({journey.pk: 5}, now=clock.now())
    look()
    brake.prune(now=clock.now())
    assert EntryTally.objects.count() == 1
