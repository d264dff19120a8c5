"""Each kind of trigger starts its workflow, and nothing beside it does."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.db import transaction

from contacts import clock, transactions
from contacts.audiences import filling, lists, membership, segments, tags
from contacts.models import Contact
from scoring.crossings import comparing
from scoring.lifecycle import stages
from scoring.models import ScoreThreshold
from scoring.rulesets import versions
from tests import journeys
from tests.journeys import definition, step
from workflows import publishing
from workflows.definition.validation import validate
from workflows.models import Enrolment, WorkflowTrigger

VIP = {"has_tag": "vip"}


def journey(*, slug: str = "journey", **trigger: Any) -> dict:
    entry = {"trigger": trigger, "re_entry": {"policy": "every_time"}}
    return definition({"done": step("exit", {})}, slug=slug, entry=entry)


def entered() -> list[tuple[int, str]]:
    journeys.run()
    return list(Enrolment.objects.order_by("id").values_list("contact_id", "trigger__type"))


def within(deed, *args, **kwargs):
    with transaction.atomic():
        return deed(*args, **kwargs, now=clock.now())


def tag(contact_id: int, name: str) -> None:
    within(tags.add_tag, contact_ids=[contact_id], tag=name, source="api")


def check_segments() -> None:
    while transactions.run(filling.fill_batch):
        pass
    for lane in ("urgent", "bulk"):
        while transactions.run(partial(membership.check_batch, lane)):
            pass


def person(n: int) -> int:
    return journeys.contact(f"p{n}@example.com").pk


@pytest.mark.django_db(transaction=True)
def test_a_tag_starts_the_journey_of_that_tag():
    journeys.publish(journey(type="tag_added", tag="vip"))
    ada, bob = person(1), person(2)
    tag(ada, "vip")
    tag(ada, "vip")
    tag(bob, "other")
    assert entered() == [(ada, "tag_added")]


@pytest.mark.django_db(transaction=True)
def test_joining_a_list_starts_the_journey_of_that_list_and_joining_again_does_so_again():
    for slug in ("news", "offers"):
        within(lists.create, slug=slug, name=slug)
    journeys.publish(journey(type="list_joined", list="news"))
    ada, bob = person(1), person(2)
    within(lists.join, [lists.Place(ada, "news", "api"), lists.Place(bob, "offers", "api")])
    assert entered() == [(ada, "list_joined")]
    within(lists.leave, [lists.Place(ada, "news", "api")])
    within(lists.join, [lists.Place(ada, "news", "api")])
    assert entered() == [(ada, "list_joined")] * 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["segment_entered", "segment_left"])
def test_entering_and_leaving_a_segment_start_journeys(kind):
    within(segments.create, slug="vips", name="Important", condition=VIP)
    check_segments()
    journeys.publish(journey(type=kind, segment="vips"))
    ada = person(1)
    tag(ada, "vip")
    check_segments()
    assert entered() == ([(ada, kind)] if kind == "segment_entered" else [])
    within(tags.remove_tags, [tags.Tagging(ada, "vip", "api")])
    check_segments()
    assert entered() == [(ada, kind)]


@pytest.mark.django_db(transaction=True)
def test_coming_to_a_lifecycle_stage_starts_the_journey_of_that_stage():
    journeys.publish(journey(type="lifecycle_changed", to="mql"))
    ada, bob = person(1), person(2)
    within(stages.move, contact_ids=[ada], to_stage="mql", reason="test", source="api")
    within(stages.move, contact_ids=[bob], to_stage="lead", reason="test", source="api")
    assert entered() == [(ada, "lifecycle_changed")]


@pytest.mark.django_db(transaction=True)
def test_submitting_a_form_starts_the_journey_of_that_form():
    journeys.publish(journey(type="form_submitted", form="contact-us"))
    ada, bob = person(1), person(2)
    journeys.track(ada, "form_submitted", properties={"form": "contact-us"})
    journeys.track(bob, "form_submitted", properties={"form": "newsletter"})
    assert entered() == [(ada, "form_submitted")]


@pytest.mark.django_db(transaction=True)
def test_a_score_that_reaches_the_threshold_starts_one_journey_and_falling_again_another():
    rules = [
        {"name": "visits", "signal": {"event": "visited"}, "points": 30},
        {"name": "leaves", "signal": {"event": "left"}, "points": -30},
    ]
    within(versions.activate, rules=rules)
    for slug, direction in (("up", "up"), ("down", "down")):
        trigger = {"type": "score_crossed", "threshold": 25, "direction": direction}
        journeys.publish(journey(slug=slug, **trigger))
    ada, bob = person(1), person(2)

    def compare() -> list[tuple[int, str]]:
        while transactions.run(lambda now: comparing.check_batch(now=now)):
            pass
        journeys.run()
        return list(Enrolment.objects.order_by("id").values_list("contact_id", "workflow__slug"))

    journeys.track([ada, bob], "visited", key="v")
    assert sorted(compare()) == [(ada, "up"), (bob, "up")]
    journeys.track(ada, "visited", key="w")
    journeys.track(bob, "left")
    assert compare()[2:] == [(bob, "down")]
    enrolment = Enrolment.objects.latest("id")
    assert enrolment.trigger["properties"]["threshold"] == 25
    publishing.archive(slug="up", now=clock.now())
    publishing.archive(slug="down", now=clock.now())
    assert not ScoreThreshold.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_another_score_than_the_lead_score_starts_a_journey_by_its_name():
    rules = [{"name": "visits", "signal": {"event": "visited"}, "points": 30}]
    within(versions.activate, rules=rules, name="fit")
    within(versions.activate, rules=rules)
    trigger = {"type": "score_crossed", "threshold": 25, "direction": "up", "score": "fit"}
    journeys.publish(journey(slug="fits", **trigger))
    assert ScoreThreshold.objects.get().score_name == "fit"
    ada = person(1)
    journeys.track(ada, "visited")
    while transactions.run(lambda now: comparing.check_batch(now=now)):
        pass
    journeys.run()
    enrolment = Enrolment.objects.get()
    assert (enrolment.contact_id, enrolment.trigger["properties"]["score_name"]) == (ada, "fit")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["manual", "api"])
def test_no_event_starts_a_journey_that_people_are_added_to(kind):
    journeys.publish(journey(type=kind))
    journeys.track(person(1), "signed_up")
    journeys.track(person(2), kind)
    assert entered() == [] and not WorkflowTrigger.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("trigger", "problem"),
    [
        ({"type": "list_joined", "list": "gone"}, ("entry.trigger.list", "ref_missing")),
        ({"type": "segment_entered", "segment": "gone"}, ("entry.trigger.segment", "ref_missing")),
        ({"type": "lifecycle_changed", "to": "king"}, ("entry.trigger.to", "bad_value")),
        ({"type": "score_crossed", "threshold": 0, "direction": "up"}, ("entry.trigger.threshold", "bad_value")),
        ({"type": "score_crossed", "threshold": 10}, ("entry.trigger.direction", "missing")),
        (
            {"type": "score_crossed", "threshold": 10, "direction": "up", "score": "gone"},
            ("entry.trigger.score", "ref_missing"),
        ),
        (
            {"type": "schedule", "rrule": "FREQ=SECONDLY", "segment": "gone"},
            ("entry.trigger.rrule", "bad_value"),
        ),
        ({"type": "schedule", "rrule": "FREQ=DAILY", "segment": "gone"}, ("entry.trigger.segment", "ref_missing")),
        ({"type": "date", "attribute": "d", "offset": "P1"}, ("entry.trigger.offset", "bad_value")),
        ({"type": "manual", "event": "x"}, ("entry.trigger.event", "unknown_field")),
        ({"type": "tag_added"}, ("entry.trigger.tag", "missing")),
        ({"type": "tag_added", "tag": "t", "where": {}}, ("entry.trigger.where", "unknown_field")),
        ({"type": "full_moon"}, ("entry.trigger.type", "unknown_type")),
        ({}, ("entry.trigger.type", "missing")),
        ({"type": "event", "event": "x", "where": {"field": 1}}, ("entry.trigger.where.field", "unknown_field")),
    ],
)
def test_each_mistake_in_a_trigger_is_named_with_its_place(trigger, problem):
    assert problem in [(found.field, found.code) for found in validate(journey(**trigger))]


@pytest.mark.django_db(transaction=True)
def test_steps_take_tags_away_and_put_on_and_off_lists_and_move_the_stage():
    for slug in ("news", "offers"):
        within(lists.create, slug=slug, name=slug)
    ada = person(1)
    tag(ada, "trial")
    within(lists.join, [lists.Place(ada, "offers", "api")])
    journeys.publish(
        definition(
            {
                "untag": step("remove_tag", {"next": "join"}, tag="trial"),
                "join": step("add_to_list", {"next": "leave"}, list="news"),
                "leave": step("remove_from_list", {"next": "stage"}, list="offers"),
                "stage": step("change_lifecycle_stage", {"next": None}, to="customer"),
            }
        )
    )
    journeys.track(ada, "signed_up")
    journeys.run()
    assert journeys.enrolment(ada).state == "completed"
    on = Contact.objects.raw(
        "SELECT c.*, (SELECT count(*) FROM contact_tags t WHERE t.contact_id = c.id) AS tags,"
        " ARRAY(SELECT l.slug FROM list_members m JOIN lists l ON l.id = m.list_id WHERE m.contact_id = c.id) AS slugs"
        " FROM contacts c WHERE c.id = %s",
        [ada],
    )[0]
    assert (on.tags, on.slugs) == (0, ["news"])
    assert stages.current_stages([ada]) == {ada: "customer"}


@pytest.mark.django_db(transaction=True)
def test_a_list_that_was_deleted_since_is_passed_over():
    within(lists.create, slug="news", name="News")
    wait = step("wait", {"next": "join"}, mode="duration", **{"for": "P1D"})
    journeys.publish(definition({"wait": wait, "join": step("add_to_list", list="news")}))
    ada = person(1)
    journeys.track(ada, "signed_up")
    journeys.run()
    journeys.publish(definition({"tag": step("add_tag", tag="t")}))  # only the version that she is in names the list
    within(lists.delete, "news", source="api")
    journeys.wake_all()
    journeys.run()
    assert journeys.enrolment(ada).state == "completed"
    assert journeys.path(journeys.enrolment(ada).pk)[-1] == ("join", "advanced", "next")
