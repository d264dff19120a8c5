"""One journey sends people into another: decided as any entry is, and never round in a circle."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from contacts import chaos
from tests import journeys
from tests.journeys import definition, step
from workflows import publishing
from workflows.entry import entry_requests, hops
from workflows.models import Enrolment, EntryRefusal, EntryRequest, Workflow

pytestmark = pytest.mark.django_db(transaction=True)

END = {"tag": step("add_tag", tag="t")}
MANUAL = {"trigger": {"type": "manual"}, "re_entry": {"policy": "every_time", "key": "event.order_id"}}


def ask(contact_id: int, slug: str, now, *, via: list[str] | None = None, lane: str = "urgent", **properties) -> None:
    EntryRequest.objects.create(
        workflow_id=Workflow.objects.get(slug=slug).pk,
        contact_id=contact_id,
        lane=lane,
        trigger={
            "type": "enter_workflow",
            "event_id": None,
            "occurred_at": now.isoformat(),
            "properties": properties,
            "via": via or ["first"],
        },
        requested_at=now,
    )


def take() -> None:
    for lane in ("urgent", "bulk"):
        while entry_requests.take_batch(lane=lane):
            pass


def refusals() -> list[tuple[int, str]]:
    return list(EntryRefusal.objects.order_by("id").values_list("contact_id", "reason"))


def test_who_is_asked_for_enters_with_the_trigger_of_the_step_and_its_entry_key(now):
    journeys.publish(definition(END, slug="second", entry=MANUAL))
    one = journeys.contact().pk
    ask(one, "second", now, order_id="A")
    take()
    enrolment = journeys.enrolment(one, "second")
    assert (enrolment.entry_key, enrolment.entry_event_id, enrolment.lane) == ("A", None, "urgent")
    assert enrolment.trigger["type"] == "enter_workflow" and enrolment.trigger["via"] == ["first"]
    assert not EntryRequest.objects.exists()


def test_a_bulk_request_makes_a_bulk_enrolment(now):
    journeys.publish(definition(END, slug="second", entry=MANUAL))
    one = journeys.contact().pk
    ask(one, "second", now, lane="bulk")
    take()
    assert journeys.enrolment(one, "second").lane == "bulk"


@pytest.mark.parametrize(
    ("via", "refused"),
    [
        (["first"], False),
        (["second"], True),
        (["second", "first"], True),
        ([f"j{n}" for n in range(hops.MOST)], False),
        ([f"j{n}" for n in range(hops.MOST + 1)], True),
    ],
)
def test_a_journey_that_comes_round_again_or_a_chain_that_is_too_long_is_a_loop(now, via, refused):
    journeys.publish(definition(END, slug="second", entry=MANUAL))
    one = journeys.contact().pk
    ask(one, "second", now, via=via)
    take()
    assert Enrolment.objects.exists() is not refused
    assert refusals() == ([(one, "loop")] if refused else [])
    if refused:
        assert EntryRefusal.objects.get().detail == {"by": "enter_workflow", "via": via}


def test_a_journey_that_is_not_live_refuses_and_one_that_is_paused_says_so(now):
    one = journeys.contact().pk
    for slug in ("draft", "paused", "archived"):
        if slug == "draft":
            publishing.save_draft(definition=definition(END, slug=slug), now=now)
        else:
            journeys.publish(definition(END, slug=slug, entry=MANUAL))
        ask(one, slug, now)
    publishing.pause(slug="paused", now=now)
    publishing.archive(slug="archived", now=now)
    take()
    assert refusals() == [(one, "not_live"), (one, "paused"), (one, "not_live")]


def test_the_audience_and_re_entry_are_asked_as_for_events(now):
    audience = {"field": "country", "op": "eq", "value": "DE"}
    journeys.publish(definition(END, slug="second", entry={"trigger": {"type": "manual"}, "audience": audience}))
    here, there = (
        journeys.contact("a@example.com", attributes={"country": "DE"}).pk,
        journeys.contact("b@example.com").pk,
    )
    for contact_id in (here, there, here):
        ask(contact_id, "second", now)
    take()
    assert sorted(refusals()) == [(here, "re_entry"), (there, "audience")]
    assert Enrolment.objects.count() == 1


def test_killed_while_it_decides_the_requests_are_still_there(now, monkeypatch):
    journeys.publish(definition(END, slug="second", entry=MANUAL))
    ask(journeys.contact().pk, "second", now)

    def kill(place: str) -> None:
        if place == "entry_requests.taken":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(chaos, "point", kill)
        with pytest.raises(KeyboardInterrupt):
            entry_requests.take_batch(lane="urgent")
    assert EntryRequest.objects.count() == 1 and not Enrolment.objects.exists()
    take()
    assert Enrolment.objects.count() == 1


def test_many_workers_take_each_request_once(now):
    journeys.publish(definition(END, slug="second", entry=MANUAL))
    ids = journeys.contacts(40)
    for contact_id in ids:
        ask(contact_id, "second", now)
    problems: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(200):
                if not EntryRequest.objects.exists():
                    break
                entry_requests.take_batch(lane="urgent", limit=3)
        except Exception as error:
            problems.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert problems == []
    assert sorted(Enrolment.objects.values_list("contact_id", flat=True)) == ids and not refusals()
