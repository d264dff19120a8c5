"""Rollout and holdout: always the same people, independent of each other, and every refusal says why."""

from __future__ import annotations

import itertools

import pytest

from tests import journeys
from tests.journeys import definition, step
from workflows.definition.validation import validate
from workflows.entry import buckets
from workflows.models import Enrolment, EntryRefusal


def publish_and_track(contacts: list[int], event: str = "signed_up", **settings: float) -> None:
    journeys.publish(definition({"done": step("exit", {})}, settings=settings))
    journeys.track(contacts, event)
    journeys.run()


def entered() -> set[int]:
    return set(Enrolment.objects.values_list("contact_id", flat=True))


def refused(reason: str) -> set[int]:
    return set(EntryRefusal.objects.filter(reason=reason).values_list("contact_id", flat=True))


def test_a_larger_share_contains_the_smaller_one_and_shares_have_their_size():
    people = range(20_000)
    shares = [{n for n in people if buckets.in_share("rollout:1", n, percent)} for percent in (0, 0.5, 10, 50, 100)]
    assert all(small <= large for small, large in itertools.pairwise(shares))
    assert [len(share) for share in (shares[0], shares[-1])] == [0, 20_000]
    assert 60 < len(shares[1]) < 140
    assert 1_850 < len(shares[2]) < 2_150


def test_two_salts_divide_people_independently_of_each_other():
    people = range(20_000)
    both = sum(buckets.in_share("holdout:1", n, 50) and buckets.in_share("rollout:1", n, 50) for n in people)
    assert 4_700 < both < 5_300


@pytest.mark.django_db(transaction=True)
def test_raising_the_rollout_lets_others_in_and_drops_nobody():
    contacts = journeys.contacts(200)
    publish_and_track(contacts, rollout_percent=30)
    first = entered()
    assert 30 < len(first) < 90
    assert refused("rollout") == set(contacts) - first
    journeys.publish(definition({"done": step("exit", {})}, settings={"rollout_percent": 60}))
    journeys.track(contacts, "signed_up", key="again")
    journeys.run()
    assert entered() > first
    assert refused("re_entry") == first


@pytest.mark.django_db(transaction=True)
def test_the_holdout_gets_no_enrolment_and_the_refusal_says_so():
    contacts = journeys.contacts(200)
    publish_and_track(contacts, holdout_percent=20)
    held = refused("holdout")
    assert 15 < len(held) < 70
    assert entered() == set(contacts) - held


@pytest.mark.django_db
@pytest.mark.parametrize("percent", [-1, 101, "many"])
def test_a_share_is_a_percentage(percent):
    document = definition({"done": step("exit", {})}, settings={"rollout_percent": percent})
    assert [(found.field, found.code) for found in validate(document)] == [("settings.rollout_percent", "bad_value")]
