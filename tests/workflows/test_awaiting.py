"""What workflows wait for is queued from the moment they are published, and no longer than they wait."""

from __future__ import annotations

import threading
from importlib import import_module

import pytest
from django.db import connection, transaction

from contacts import awaited, clock
from contacts.models import AwaitedEvent, PendingEvent
from tests import journeys
from tests.journeys import definition, step
from workflows import awaiting, intake, publishing
from workflows.models import Enrolment, Workflow

pytestmark = pytest.mark.django_db(transaction=True)

END = {"end": step("exit", {})}
FILL = import_module("workflows.migrations.0004_declare_what_is_awaited").Migration.operations[0].sql


def starting_with(event: str, slug: str = "journey") -> dict:
    return definition(END, slug=slug, entry={"trigger": {"type": "event", "event": event}})


def declared() -> dict[str, set[str]]:
    """By the slug of the workflow."""
    slugs = {f"workflow:{workflow.pk}": workflow.slug for workflow in Workflow.objects.all()}
    return {slugs[owner]: set(types) for owner, types in awaited.declared("workflow:").items()}


def test_an_event_that_comes_after_publishing_is_queued_and_one_that_nobody_awaits_is_not():
    ada = journeys.contact()
    journeys.track(ada.pk, "bought", key="before")
    journeys.publish(starting_with("bought"))
    journeys.track(ada.pk, "looked")
    assert not PendingEvent.objects.exists()
    journeys.track(ada.pk, "bought", key="after")
    assert PendingEvent.objects.count() == 1
    journeys.run()
    assert Enrolment.objects.get().contact_id == ada.pk


def test_a_draft_awaits_nothing():
    publishing.save_draft(definition=starting_with("bought"), now=clock.now())
    assert declared() == {}


def test_a_trigger_of_its_own_kind_awaits_the_event_that_it_is_made_of():
    journeys.publish(definition(END, entry={"trigger": {"type": "tag_added", "tag": "vip"}}))
    assert declared() == {"journey": {"tag_added"}}


def test_the_next_version_awaits_what_it_is_started_by():
    for event in ("bought", "looked"):
        journeys.publish(starting_with(event))
    assert declared() == {"journey": {"looked"}}


def test_a_paused_workflow_still_awaits_and_an_archived_one_does_not():
    for slug in ("one", "other"):
        journeys.publish(starting_with("bought", slug))
    publishing.pause(slug="one", now=clock.now())
    assert declared() == {"one": {"bought"}, "other": {"bought"}}
    publishing.resume(slug="one", now=clock.now())
    publishing.archive(slug="one", now=clock.now())
    assert declared() == {"other": {"bought"}}
    journeys.track(journeys.contact().pk, "bought")
    assert PendingEvent.objects.count() == 1


def test_what_could_not_be_published_is_not_awaited():
    journeys.publish(starting_with("bought"))
    with pytest.raises(RuntimeError), transaction.atomic():
        journeys.publish(starting_with("looked"))
        raise RuntimeError
    assert declared() == {"journey": {"bought"}}


def test_producers_that_send_while_a_workflow_is_published_miss_nothing_once_it_is():
    journeys.publish(starting_with("looked"))
    everybody = journeys.contacts(300)
    published, after, failures = threading.Event(), [], []

    def produce(mine: list[int]) -> None:
        try:
            for contact_id in mine:
                told = published.is_set()
                journeys.track(contact_id, "bought")
                if told:
                    after.append(contact_id)
        except Exception as failure:
            failures.append(failure)
        finally:
            connection.close()

    producers = [threading.Thread(target=produce, args=(everybody[number::3],)) for number in range(3)]
    for producer in producers:
        producer.start()
    journeys.publish(starting_with("bought"))
    published.set()
    for producer in producers:
        producer.join()
    late = journeys.contacts(1)
    journeys.track(late, "bought")
    while intake.match_batch(lane="urgent"):
        pass
    assert failures == []
    enrolled = set(Enrolment.objects.values_list("contact_id", flat=True))
    assert {*after, *late} <= enrolled


def test_intake_is_rung_for_only_where_something_was_queued(monkeypatch):
    rung: list[str] = []
    monkeypatch.setattr("contacts.doorbell.ring", lambda task, lane: rung.append(task))
    journeys.publish(starting_with("bought"))
    ada = journeys.contact()
    journeys.track(ada.pk, "looked")
    assert "workflows.intake" not in rung
    journeys.track(ada.pk, "bought")
    assert "workflows.intake" in rung


def test_workflows_that_were_published_before_are_declared_by_the_migration():
    for slug, event in {"live": "a", "paused": "b", "archived": "c"}.items():
        journeys.publish(starting_with(event, slug))
    publishing.pause(slug="paused", now=clock.now())
    publishing.archive(slug="archived", now=clock.now())
    AwaitedEvent.objects.all().delete()
    assert awaiting.undeclared() == ["live", "paused"]
    with connection.cursor() as cursor:
        cursor.execute(FILL)
        cursor.execute(FILL)
    assert declared() == {"live": {"a"}, "paused": {"b"}}
    assert awaiting.undeclared() == []


def test_a_rebuild_declares_what_is_true():
    journeys.publish(starting_with("bought"))
    publishing.archive(slug="journey", now=clock.now())
    journeys.publish(starting_with("looked", "other"))
    gone = Workflow.objects.get(slug="journey")
    AwaitedEvent.objects.all().delete()
    AwaitedEvent.objects.create(owner=f"workflow:{gone.pk}", event_type="bought")
    awaiting.rebuild()
    assert declared() == {"other": {"looked"}}
