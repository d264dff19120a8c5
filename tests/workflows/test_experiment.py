"""The step `experiment`: everybody has one variant for good, wherever they meet the experiment."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.models import Contact
from tests import journeys
from tests.contacts.merging.conftest import merge
from tests.journeys import definition, step
from workflows import engine, experiments, intake
from workflows.definition.validation import validate
from workflows.models import Enrolment, ExperimentAssignment, JournalEntry

pytestmark = pytest.mark.django_db(transaction=True)


def split(weights: dict[str, float], *, name: str = "story-or-offer", **ways) -> dict:
    variants = [{"key": key, "weight": weight} for key, weight in weights.items()]
    return step("experiment", {key: ways.get(key) for key in weights}, experiment=name, variants=variants)


def enter(ids: list[int], event: str = "signed_up") -> None:
    journeys.track(ids, event)
    journeys.run()


def variants() -> dict[int, str]:
    return dict(ExperimentAssignment.objects.values_list("contact_id", "variant"))


def ports(slug: str = "journey") -> dict[int, str]:
    rows = JournalEntry.objects.filter(
        step_type="experiment", enrolment_id__in=Enrolment.objects.filter(workflow__slug=slug).values("id")
    )
    return dict(rows.values_list("contact_id", "port"))


def test_contacts_go_the_way_of_their_bucket_and_the_journal_says_which():
    journeys.publish(definition({"split": split({"story": 45, "offer": 45, "holdout": 10})}))
    ids = journeys.contacts(60)
    enter(ids)
    owned = experiments.ranges([{"story": 45, "offer": 45, "holdout": 10}])
    expected = {
        contact_id: experiments.variant_of(owned, experiments.bucket("story-or-offer", contact_id))
        for contact_id in ids
    }
    assert ports() == variants() == expected
    entry = JournalEntry.objects.get(contact_id=ids[0])
    bucket = experiments.bucket("story-or-offer", ids[0])
    assert entry.detail == {"variant": expected[ids[0]], "bucket": bucket}


def test_new_weights_move_nobody_who_has_a_variant():
    journeys.publish(definition({"split": split({"a": 100, "b": 0})}, entry=again("signed_up")))
    ids = journeys.contacts(20)
    enter(ids)
    journeys.publish(definition({"split": split({"a": 0, "b": 100})}, entry=again("signed_up")))
    fresh = Contact.objects.create(email="fresh@example.com").pk
    journeys.track([*ids, fresh], "signed_up", key="second")
    journeys.run()
    assert {ports()[contact_id] for contact_id in ids} == {"a"}
    assert ports()[fresh] == "b"


def test_who_comes_new_goes_by_ranges_that_moved_as_little_as_the_new_weights_asked_for():
    before, after = {"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 2, "c": 1}
    for weights in (before, after):
        journeys.publish(definition({"split": split(weights)}))
    ids = journeys.contacts(80)
    enter(ids)
    moved, afresh = experiments.ranges([before, after]), experiments.ranges([after])
    buckets = {contact_id: experiments.bucket("story-or-offer", contact_id) for contact_id in ids}
    assert ports() == {contact_id: experiments.variant_of(moved, bucket) for contact_id, bucket in buckets.items()}
    assert ports() != {contact_id: experiments.variant_of(afresh, bucket) for contact_id, bucket in buckets.items()}


def again(event: str) -> dict:
    return {"trigger": {"type": "event", "event": event}, "re_entry": {"policy": "every_time"}}


def test_another_journey_with_the_same_experiment_shows_the_same_variant():
    journeys.publish(definition({"split": split({"a": 1, "b": 1})}))
    other = definition({"split": split({"a": 99, "b": 1})}, slug="other", entry=again("bought"))
    journeys.publish(other)
    ids = journeys.contacts(40)
    enter(ids)
    enter(ids, "bought")
    assert ports("other") == ports("journey") == variants()


def test_who_had_a_variant_that_is_gone_goes_the_way_of_their_bucket_and_the_journal_says_what_they_had():
    journeys.publish(definition({"split": split({"a": 1, "gone": 0})}, entry=again("signed_up")))
    (contact_id,) = journeys.contacts(1)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO experiment_assignments (experiment, contact_id, variant, bucket, enrolment_id, version_id,"
            " step, assigned_at) VALUES ('story-or-offer', %s, 'removed', 1, 1, 1, 'split', now())",
            [contact_id],
        )
    enter([contact_id])
    entry = JournalEntry.objects.get(contact_id=contact_id)
    assert (entry.port, entry.detail["had"]) == ("a", "removed")
    assert variants() == {contact_id: "removed"}


def test_two_workers_give_one_contact_one_variant():
    """Both read that there is none; the constraint decides, and the loser reads again."""
    journeys.publish(definition({"split": split({"a": 1, "b": 1})}))
    journeys.publish(definition({"split": split({"b": 1, "a": 1})}, slug="other"))
    ids = journeys.contacts(60)
    journeys.track(ids, "signed_up")
    while intake.match_batch(lane="urgent"):
        pass
    problems: list[Exception] = []

    def work() -> None:
        try:
            while engine.advance_batch(lane="urgent", limit=7):
                pass
        except Exception as error:
            problems.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    journeys.run()
    assert problems == []
    assert ports("journey") == ports("other") == variants()


def test_of_two_contacts_who_are_merged_one_variant_is_kept():
    journeys.publish(definition({"split": split({"a": 1, "b": 1})}))
    first, second = journeys.contacts(2)
    enter([first, second])
    before = variants()
    merge(first, second)
    kept = ExperimentAssignment.objects.get(contact_id=first)
    assert kept.variant == before[first]


def test_a_batch_of_five_hundred_costs_what_a_batch_of_five_costs():
    costs = []
    for count in (5, 500):
        slug = f"journey-{count}"
        journeys.publish(definition({"split": split({"a": 1, "b": 1}, name=f"e{count}")}, slug=slug))
        rows = Contact.objects.bulk_create([Contact(email=f"{count}-{n}@example.com") for n in range(count)])
        journeys.track([row.pk for row in rows], "signed_up")
        while intake.match_batch(lane="urgent"):
            pass
        Enrolment.objects.exclude(workflow__slug=slug).filter(finished_at=None).update(held=True)
        with CaptureQueriesContext(connection) as queries:
            assert engine.advance_batch(lane="urgent", limit=1000)
        assert Enrolment.objects.filter(workflow__slug=slug, state="completed").count() == count
        costs.append(len(queries))
        Enrolment.objects.filter(held=True).update(held=False)
    assert abs(costs[0] - costs[1]) <= 2  # versions and ranges are read once in a process


@pytest.mark.parametrize(
    ("config", "field", "code"),
    [
        ({"a": 0, "b": 0}, "config.variants", "bad_value"),
        ({"a": -1, "b": 1}, "config.variants.0.weight", "bad_config"),
        ({"a": 1}, "config.variants", "bad_config"),
    ],
)
def test_weights_that_give_nobody_a_variant_are_refused(config, field, code):
    found = validate(definition({"split": split(config)}))
    assert (field, code) in {(problem.field, problem.code) for problem in found}


def test_the_same_variant_twice_is_refused():
    variants = [{"key": "a", "weight": 1}, {"key": "a", "weight": 1}]
    found = validate(definition({"split": step("experiment", {"a": None}, experiment="e", variants=variants)}))
    assert [(problem.field, problem.code) for problem in found] == [("config.variants.1.key", "duplicate")]
