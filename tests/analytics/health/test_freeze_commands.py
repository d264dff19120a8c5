"""`manage.py freeze`, `frozen` and `release`."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from analytics.health import alerts_sources, doctor, held_back
from analytics.health.metrics import families
from contacts import clock, freezing
from contacts.models import Installation
from delivery import frozen
from delivery.models import OutboxEntry, SendLogEntry
from tests import journeys
from tests.delivery import making
from tests.journeys import definition, step
from workflows.models import Enrolment, WebhookCall, Workflow

pytestmark = pytest.mark.django_db(transaction=True)


def say(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command(*arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.fixture(autouse=True)
def memory(settings, tmp_path):
    settings.BEAT_MEMORY_DIR = str(tmp_path)


@pytest.fixture
def queued() -> list[int]:
    """Two people with a mail in the queue, of whom one is due to go on."""
    making.template()
    pause = step("wait", {"next": None}, mode="duration", **{"for": "PT1H"})
    journeys.publish(definition({"hello": step("send_email", {"next": "pause"}, template="welcome"), "pause": pause}))
    people = journeys.contacts(2)
    journeys.track(people, "signed_up")
    journeys.run()
    Enrolment.objects.filter(contact_id=people[0]).update(wake_at=clock.now())
    return people


def test_everything_is_frozen_listed_and_released(queued):
    assert say("freeze", "--reason", "why not")["frozen"] is True
    listed = say("frozen")
    assert listed["frozen"] is True and listed["freezes"][0]["reason"] == "why not"
    (journey,) = listed["held"]
    assert (journey["slug"], {held["kind"]: held["count"] for held in journey["held"]}) == (
        "journey",
        {"messages": 2, "people": 1},
    )
    assert say("release", "--dry-run") == {"workflow": None, "released": True, "dropped": {}}
    assert freezing.is_frozen()
    assert say("release")["released"] is True and not freezing.is_frozen()
    assert say("release")["released"] is False


def test_a_restored_copy_is_noticed_by_whoever_lists(queued):
    say("frozen")
    Installation.objects.update(database_oid=1)
    listed = say("frozen")
    assert listed["frozen"] and listed["freezes"][0]["kind"] == "restored" and listed["freezes"][0]["snapshot_at"]


def test_what_was_queued_is_closed_unsent_and_the_log_says_why(queued):
    say("freeze", "--reason", "restored")
    would = say("release", "--drop-older-than", "PT0S", "--dry-run")
    assert would["dropped"]["messages"] == 2 and OutboxEntry.objects.count() == 2
    assert say("release", "--drop-older-than", "PT0S")["dropped"]["messages"] == 2
    assert not OutboxEntry.objects.exists() and not freezing.is_frozen()
    assert set(SendLogEntry.objects.values_list("kind", "reason")) == {("cancelled", frozen.DROPPED)}


def test_what_is_younger_than_the_age_is_kept(queued):
    say("freeze", "--reason", "restored")
    assert say("release", "--drop-older-than", "PT1H")["dropped"]["messages"] == 0
    assert OutboxEntry.objects.count() == 2


def test_who_waits_for_a_call_that_is_dropped_goes_on_as_if_it_had_failed():
    journeys.publish(definition({"call": step("call_webhook", {"next": None}, url="https://hooks.example/x")}))
    journeys.track(journeys.contact().pk, "signed_up")
    journeys.run()
    say("freeze", "--reason", "restored")
    assert say("release", "--drop-older-than", "PT0S")["dropped"]["calls"] == 1
    assert (WebhookCall.objects.get().state, WebhookCall.objects.get().reason) == ("failed", "restored")
    journeys.run()
    assert Enrolment.objects.get().state == "completed"


def test_nothing_is_dropped_that_does_not_stand_still(queued):
    with pytest.raises(CommandError, match="frozen"):
        say("release", "--drop-older-than", "PT0S")
    with pytest.raises(held_back.NotFrozen):
        held_back.drop(before=clock.now())
    assert OutboxEntry.objects.count() == 2


def test_one_workflow_is_frozen_and_released(queued):
    assert say("freeze", "--workflow", "journey", "--reason", "x", "--dry-run")["frozen"] is False
    assert freezing.standing() == []
    say("freeze", "--workflow", "journey", "--reason", "x")
    listed = say("frozen")
    assert listed["frozen"] is False and listed["freezes"][0]["workflow"] == "journey"
    assert Workflow.objects.get().status == "paused"
    assert say("release", "--workflow", "journey")["released"] is True
    assert Workflow.objects.get().status == "live"
    for command in (("freeze", "--reason", "x"), ("release",)):
        with pytest.raises(CommandError, match="no workflow"):
            say(*command, "--workflow", "nobody")


def test_doctor_metrics_and_alerts_say_it(queued):
    say("freeze", "--reason", "why not")
    (finding,) = doctor.examine(only={"freezes"})
    assert not finding.healthy and "why not" in finding.said
    value = {family.name: family.samples for family in families(clock.now())}["carillon_frozen"][0].value
    assert value == 1
    assert [each.key for each in alerts_sources.freezes(clock.now())] == ["all:by_hand"]
    say("release")
    assert doctor.examine(only={"freezes"})[0].healthy and not list(alerts_sources.freezes(clock.now()))
