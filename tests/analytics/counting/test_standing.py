"""Who stands where: counted as people move, and always what the rows say."""

from __future__ import annotations

from collections import Counter

import pytest
from django.db import connection, transaction

from analytics.counting import counters, rebuild
from contacts import clock
from tests import journeys
from tests.journeys import definition, step
from workflows import admission, engine, intake
from workflows.failures import dead_letters
from workflows.models import DeadLetter, Enrolment, Workflow
from workflows.steps.add_tag import AddTag
from workflows.watches import exits

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = {
    "first": step("add_tag", {"next": "pause"}, tag="one"),
    "pause": step("wait", {"next": "last"}, mode="duration", **{"for": "P3D"}),
    "last": step("add_tag", tag="two"),
}


def rows() -> Counter:
    live = Enrolment.objects.filter(finished_at=None).values_list("step", "state")
    return Counter(live)


def counted(workflow: Workflow) -> Counter:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT step, metric, sum(amount)::int FROM {counters.ALL} AS c"
            " WHERE workflow_id = %s AND metric IN ('pending', 'active', 'waiting') GROUP BY 1, 2",
            [workflow.pk],
        )
        return Counter({(where, state): amount for where, state, amount in cursor.fetchall() if amount})


def agree(workflow: Workflow) -> Counter:
    assert counted(workflow) == rows()
    assert rebuild.compare().differences == ()
    return rows()


def published(count: int, **settings) -> Workflow:
    journeys.publish(definition(STEPS, settings=settings))
    journeys.track(journeys.contacts(count), "signed_up")
    while intake.match_batch(lane="urgent"):
        pass
    return Workflow.objects.get(slug="journey")


def test_every_move_of_the_engine_takes_people_from_one_place_to_the_next():
    workflow = published(3)
    assert agree(workflow) == {("first", "active"): 3}
    engine.advance_batch(lane="urgent", limit=2)
    assert agree(workflow) == {("first", "active"): 1, ("pause", "active"): 2}
    journeys.run()
    assert agree(workflow) == {("pause", "waiting"): 3}
    journeys.wake_all()
    journeys.run()
    assert agree(workflow) == {}


def test_people_who_wait_for_a_place_are_counted_through_admission():
    workflow = published(5, concurrency_cap=2)
    assert agree(workflow) == {("first", "pending"): 5}
    admission.admit_batch(lane="urgent")
    assert agree(workflow) == {("first", "active"): 2, ("first", "pending"): 3}
    journeys.run()
    assert agree(workflow) == {("pause", "waiting"): 5}
    journeys.wake_all()
    admission.admit_batch(lane="urgent")
    assert agree(workflow) == {("pause", "active"): 2, ("pause", "waiting"): 3}
    journeys.run()
    assert agree(workflow) == {}


def test_who_leaves_stands_nowhere_whatever_they_did():
    workflow = published(4, concurrency_cap=2)
    admission.admit_batch(lane="urgent")
    ids = list(Enrolment.objects.order_by("id").values_list("id", flat=True))
    with transaction.atomic():
        exits.leave([ids[0], ids[3]], reason="manually_removed", now=clock.now())
    assert agree(workflow) == {("first", "active"): 1, ("first", "pending"): 1}


@pytest.mark.parametrize("cap", [None, 5])
@pytest.mark.parametrize("deed", ["retry", "skip", "exit"])
def test_who_failed_stands_nowhere_and_comes_back_when_somebody_says_so(monkeypatch, cap, deed):
    real = AddTag.run

    def broken(self, cohort, prepared, now):
        raise ValueError("broken")

    monkeypatch.setattr(AddTag, "run", broken)
    workflow = published(3, concurrency_cap=cap)
    for _ in range(3):
        journeys.run()
        journeys.try_again_now()
    assert agree(workflow) == {} and DeadLetter.objects.count() == 3
    monkeypatch.setattr(AddTag, "run", real)
    letters = list(DeadLetter.objects.values_list("pk", flat=True))[:2]
    with transaction.atomic():
        dead_letters.resolve(letters, deed=deed, by="maya", now=clock.now())
    assert sum(agree(workflow).values()) == (0 if deed == "exit" else 2)
    journeys.run()
    assert agree(workflow) == ({} if deed == "exit" else {("pause", "waiting"): 2})
    assert counters.totals(workflow.pk)["enrolments"]["failed"] == 1
