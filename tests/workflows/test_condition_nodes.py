"""Segments may ask who is in a journey: they follow enrolments as they begin and end."""

from __future__ import annotations

import pytest
from django.db import transaction

from contacts.conditions import explain, matching_contacts, parse
from tests import journeys
from tests.contacts.audiences.keeping import check, make_live, members, told
from tests.journeys import definition, step
from workflows.steps.add_tag import AddTag
from workflows.watches import exits

pytestmark = pytest.mark.django_db(transaction=True)

PAUSE = {"pause": step("wait", mode="duration", **{"for": "PT1H"})}
IN_JOURNEY = {"in_workflow": "journey"}


def enter(count: int) -> list[int]:
    ids = journeys.contacts(count)
    journeys.track(ids, "signed_up")
    journeys.run()
    return ids


def test_who_is_under_way_is_in_the_journey_and_who_has_finished_is_not(now):
    journeys.publish(definition(PAUSE))
    make_live("under-way", IN_JOURNEY)
    make_live("elsewhere", {"in_workflow": "another"})
    ids = enter(2)
    check()
    assert members("under-way") == ids and members("elsewhere") == []
    journeys.wake_all()
    journeys.run()
    check()
    assert members("under-way") == []
    assert [deed for _, deed, _ in told()] == ["entered", "entered", "left", "left"]
    assert matching_contacts(parse({"not": IN_JOURNEY}), contact_ids=ids, now=now) == set(ids)


def test_whoever_leaves_before_the_end_leaves_the_segment(now):
    journeys.publish(definition(PAUSE))
    make_live("under-way", IN_JOURNEY)
    ids = enter(1)
    check()
    assert len(members("under-way")) == 1
    with transaction.atomic():
        exits.leave_of(ids, reason="manually_removed", now=now)
    check()
    assert members("under-way") == []


def test_a_failed_enrolment_is_no_longer_under_way(monkeypatch):
    def fail(*args):
        raise RuntimeError

    monkeypatch.setattr(AddTag, "run", fail)
    journeys.publish(definition({"one": step("add_tag", tag="first")}))
    make_live("under-way", IN_JOURNEY)
    journeys.track(journeys.contacts(1), "signed_up")
    journeys.run()
    journeys.try_again_now()
    journeys.run()
    check()
    assert members("under-way") == []


def test_it_has_words():
    assert explain(parse(IN_JOURNEY)) == "is in the journey “journey”"
