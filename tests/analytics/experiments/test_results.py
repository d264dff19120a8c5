"""From assignments to a verdict: outcomes are derived, settled when their window is over, and counted once."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from analytics.experiments import outcomes, register, results, tallies
from analytics.models import Experiment, ExperimentOutcome
from contacts.models import Contact
from tests import journeys
from workflows.models import ExperimentAssignment, Workflow

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
WINDOW = timedelta(days=7)


def split(**config):
    variants = config.pop("variants", [{"key": "story", "weight": 50}, {"key": "offer", "weight": 50}])
    return journeys.step(
        "experiment", {each["key"]: None for each in variants}, experiment="story-or-offer", variants=variants
    )


@pytest.fixture
def experiment() -> Experiment:
    journeys.publish(journeys.definition({"split": split()}, slug="trial", exit={"goal": [{"event": "subscribed"}]}))
    with transaction.atomic():
        register.make_missing(now=START)
    return Experiment.objects.get()


def assign(experiment: Experiment, contact_id: int, variant: str, at: datetime) -> None:
    ExperimentAssignment.objects.create(
        experiment=experiment.slug,
        contact_id=contact_id,
        variant=variant,
        bucket=1,
        enrolment_id=contact_id,
        version_id=1,
        step="split",
        assigned_at=at,
    )


def convert(contact_ids: int | list[int], at: datetime, type_: str = "subscribed", **properties: object) -> None:
    journeys.track(contact_ids, type_, properties=properties, occurred_at=at)


def follow(now: datetime) -> None:
    while True:
        with transaction.atomic():
            if not outcomes.work(now=now):
                return


def told(experiment: Experiment, now: datetime) -> dict[str, tuple[int, int, int]]:
    experiment.refresh_from_db()
    read = results.read(experiment, now=now)
    return {each.variant: (each.assigned, each.settled, each.converted) for each in read.standings}


def test_a_published_experiment_step_makes_its_experiment_with_the_goal_of_the_journey(experiment):
    assert (experiment.slug, experiment.goal, experiment.state) == (
        "story-or-offer",
        {"event": "subscribed"},
        "running",
    )
    assert experiment.workflow_id == Workflow.objects.get().pk
    assert register.variants(experiment) == register.Variants({"story": 50.0, "offer": 50.0}, "story")
    with transaction.atomic():
        register.make_missing(now=START)
    assert Experiment.objects.count() == 1


def test_only_what_happened_within_the_window_counts_and_only_when_it_is_over(experiment):
    on_time, too_late, before, never = journeys.contacts(4)
    for contact_id in (on_time, too_late, before, never):
        assign(experiment, contact_id, "story", START)
    convert(on_time, START + timedelta(days=6, hours=23))
    convert(too_late, START + WINDOW + timedelta(seconds=1))
    convert(before, START - timedelta(seconds=1))
    follow(START + timedelta(days=6, hours=23, minutes=59))
    assert told(experiment, START) == {"story": (4, 0, 0), "offer": (0, 0, 0)}
    follow(START + WINDOW + outcomes.grace())
    assert told(experiment, START) == {"story": (4, 4, 1), "offer": (0, 0, 0)}
    assert ExperimentOutcome.objects.get(converted_at__isnull=False).contact_id == on_time


def test_an_assignment_that_was_committed_late_is_taken_in(experiment):
    first, second = journeys.contacts(2)
    assign(experiment, second, "story", START)
    follow(START)
    assign(experiment, first, "offer", START - timedelta(seconds=90))
    follow(START + timedelta(seconds=1))
    assert {row.contact_id for row in ExperimentOutcome.objects.all()} == {first, second}


def test_the_condition_of_a_goal_is_that_of_the_event_language(experiment):
    Experiment.objects.update(
        goal={"event": "subscribed", "where": {"field": "event.plan", "op": "eq", "value": "pro"}}
    )
    pro, free = journeys.contacts(2)
    for contact_id, plan in ((pro, "pro"), (free, "free")):
        assign(experiment, contact_id, "offer", START)
        convert(contact_id, START + timedelta(days=1), plan=plan)
    follow(START + WINDOW + outcomes.grace())
    assert told(experiment, START)["offer"] == (2, 2, 1)


def test_machines_do_not_convert(experiment):
    Experiment.objects.update(goal={"event": "email_clicked"})
    person, scanner = journeys.contacts(2)
    for contact_id, machine in ((person, "false"), (scanner, "true")):
        assign(experiment, contact_id, "offer", START)
        convert(contact_id, START + timedelta(days=1), "email_clicked", is_machine=machine)
    follow(START + WINDOW + outcomes.grace())
    assert told(experiment, START)["offer"] == (2, 2, 1)


def test_a_rebuild_gives_the_same(experiment):
    people = journeys.contacts(30)
    for place, contact_id in enumerate(people):
        assign(experiment, contact_id, ("story", "offer")[place % 2], START + timedelta(minutes=place))
        if place % 3 == 0:
            convert(contact_id, START + timedelta(days=2))
    later = START + WINDOW + timedelta(hours=1)
    follow(later)
    before = told(experiment, later)
    with transaction.atomic():
        outcomes.rebuild(experiment)
    follow(later)
    assert told(experiment, later) == before == {"story": (15, 15, 5), "offer": (15, 15, 5)}


def test_a_clear_winner_is_named(experiment):
    people = journeys.contacts(1_200)
    ExperimentAssignment.objects.bulk_create(
        ExperimentAssignment(
            experiment=experiment.slug,
            contact_id=contact_id,
            variant=("story", "offer")[place % 2],
            bucket=1,
            enrolment_id=contact_id,
            version_id=1,
            step="split",
            assigned_at=START + timedelta(seconds=place),
        )
        for place, contact_id in enumerate(people)
    )
    converts = [
        contact_id for place, contact_id in enumerate(people) if (place % 2 and place % 5 < 2) or place % 20 == 0
    ]
    convert(converts, START + timedelta(days=1))
    follow(START + WINDOW + timedelta(hours=1))
    verdict = results.read(experiment, now=START).verdict
    assert (verdict.kind, verdict.variant) == ("winner", "offer")
    assert verdict.challenges[0].interval.low > 0


def assign_many(experiment: Experiment, rows: list[tuple[int, str, datetime]]) -> None:
    version = Workflow.objects.get().live_version_id
    ExperimentAssignment.objects.bulk_create(
        ExperimentAssignment(
            experiment=experiment.slug,
            contact_id=contact_id,
            variant=variant,
            bucket=1,
            enrolment_id=contact_id,
            version_id=version,
            step="split",
            assigned_at=at,
        )
        for contact_id, variant, at in rows
    )


def test_what_changes_with_time_alone_is_no_difference_however_unequal_the_weights():
    """Nobody converts in the first half and everybody in the second: a tenth held out is compared with contacts of its
    own time, not with the first tenth of the others."""
    variants = [{"key": "holdout", "weight": 10}, {"key": "offer", "weight": 90}]
    journeys.publish(journeys.definition({"split": split(variants=variants)}, exit={"goal": [{"event": "subscribed"}]}))
    with transaction.atomic():
        register.make_missing(now=START)
    experiment = Experiment.objects.get()
    people = journeys.contacts(1_000)
    rows = [
        (contact_id, "holdout" if place % 10 == 0 else "offer", START + timedelta(minutes=place))
        for place, contact_id in enumerate(people)
    ]
    assign_many(experiment, rows)
    convert(people[500:], START + timedelta(days=2))
    follow(START + WINDOW + timedelta(days=2))
    verdict = results.read(experiment, now=START).verdict
    assert verdict.challenges[0].pairs == 100
    assert verdict.challenges[0].p_value > 0.5


def test_pairs_once_made_stay_as_they_are(experiment):
    people = journeys.contacts(60)
    dice = random.Random(7)
    rows = [(each, dice.choice(("story", "offer")), START + timedelta(hours=n)) for n, each in enumerate(people)]
    assign_many(experiment, rows)
    for contact_id in people:
        if dice.random() < 0.4:
            convert(contact_id, START + timedelta(days=3, hours=people.index(contact_id) % 24))
    before: list[bool] = []
    for hours in range(0, 61, 6):
        now = START + WINDOW + timedelta(hours=hours)
        follow(now)
        seen = tallies.read(experiment, register.variants(experiment)).paired
        untied = list(seen["offer"].untied) if seen else []
        assert untied[: len(before)] == before
        before = untied
    assert before


def test_guardrails_are_counted_over_the_same_contacts_as_conversions(experiment):
    Experiment.objects.update(guardrails=[{"name": "Unsubscribes", "event": "email_unsubscribed", "limit": 0.01}])
    people = journeys.contacts(600)
    rows = [(each, ("story", "offer")[n % 2], START + timedelta(minutes=n)) for n, each in enumerate(people)]
    assign_many(experiment, rows)
    offers = people[1::2]
    convert(offers[:200], START + timedelta(days=1))
    convert(offers[200:260], START + timedelta(days=1), "email_unsubscribed")
    convert(people[0], START + WINDOW + timedelta(days=1), "email_unsubscribed")  # when its window was over
    experiment.refresh_from_db()
    follow(START + WINDOW + timedelta(days=2))
    verdict = results.read(experiment, now=START).verdict
    held = verdict.guardrails[0]
    assert (held.base.contacts, held.base.converted) == (300, 0)
    assert (held.arm.contacts, held.arm.converted) == (300, 60)
    assert (verdict.kind, verdict.variant) == ("vetoed", "offer")
    assert "converts better than story" in verdict.reason and "“Unsubscribes” worse by at least" in verdict.reason


def test_who_is_settled_before_their_neighbours_waits_for_them(experiment):
    first, second = journeys.contacts(2)
    assign_many(experiment, [(first, "story", START), (second, "offer", START + timedelta(hours=1))])
    follow(START)
    ExperimentOutcome.objects.filter(contact_id=second).update(settled=True, converted_at=START + timedelta(hours=2))
    assert told(experiment, START) == {"story": (1, 0, 0), "offer": (1, 0, 0)}
    follow(START + WINDOW + outcomes.grace())
    assert told(experiment, START) == {"story": (1, 1, 0), "offer": (1, 1, 1)}


def test_history_and_path_end_with_what_is_told_now(experiment):
    people = journeys.contacts(80)
    assign_many(
        experiment, [(each, ("story", "offer")[n % 2], START + timedelta(hours=n)) for n, each in enumerate(people)]
    )
    convert(people[1:40:2], START + timedelta(days=2))
    follow(START + WINDOW + timedelta(days=4))
    read = results.read(experiment, now=START)
    last = read.history[-1]
    assert last.at == START + timedelta(hours=79)
    assert {name: (arm.contacts, arm.converted) for name, arm in last.arms.items()} == {
        each.variant: (each.settled, each.converted) for each in read.standings
    }
    known = [point for point in read.paths["offer"] if point.lead is not None]
    assert (known[0].pairs, known[0].lead) == (0, 0)
    assert (known[-1].pairs, known[-1].lead) == (20, 20)


def test_whose_contact_is_gone_is_settled_and_holds_nobody_up(experiment):
    ada, bob = journeys.contacts(2)
    assign_many(experiment, [(ada, "story", START), (bob, "offer", START)])
    follow(START)
    Contact.objects.filter(pk=ada).delete()
    follow(START + WINDOW + outcomes.grace())
    assert told(experiment, START) == {"story": (1, 1, 0), "offer": (1, 1, 0)}


def test_the_sweep_rings_for_what_nobody_was_rung_for(experiment, monkeypatch):
    rung: list[str] = []
    monkeypatch.setattr(outcomes.doorbell, "ring", lambda bell, lane: rung.append(bell))
    outcomes.ring_if_waiting(now=START)
    assert rung == []
    (ada,) = journeys.contacts(1)
    assign_many(experiment, [(ada, "story", START)])
    outcomes.ring_if_waiting(now=START)
    assert rung == [outcomes.BELL]
    follow(START)
    outcomes.ring_if_waiting(now=START)
    assert rung == [outcomes.BELL]
    outcomes.ring_if_waiting(now=START + WINDOW + outcomes.grace())
    assert rung == [outcomes.BELL] * 2
    Experiment.objects.all().delete()
    outcomes.ring_if_waiting(now=START)
    assert rung == [outcomes.BELL] * 3
