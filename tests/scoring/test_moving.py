"""Moves as the world brings them about: over the API, and all the way from an event to a salesperson's desk."""

from __future__ import annotations

import json
import threading
from functools import partial

import pytest
from django.db import connection, transaction

from contacts import transactions
from contacts.models import Contact, ContactEvent
from scoring.crossings import comparing
from scoring.lifecycle import progression_rules, stages
from scoring.models import LifecycleEvent
from scoring.rulesets import versions
from tests import journeys
from tests.contacts.conftest import Api, make_key
from tests.journeys import definition, step
from tests.scoring.conftest import rule
from workflows.models import SalesTask

pytestmark = pytest.mark.django_db


@pytest.fixture
def writer(db) -> Api:
    return Api(make_key("contacts:read", "contacts:write"))


@pytest.fixture
def ada(person) -> Contact:
    return Contact.objects.get(pk=person(email="ada@example.com", external_id="ada", owner_email="maya@example.com"))


def move(api: Api, contact: Contact, body: object, slash: str = ""):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.post_bytes(raw, f"/api/v1/contacts/{contact.public_id}/lifecycle{slash}")


# -- over the API ------------------------------------------------------------------------------------------------------


def test_a_program_moves_a_contact_forward_and_back_and_says_why(writer, ada):
    answer = move(writer, ada, {"to": "opportunity", "reason": " Deal opened "})
    assert answer.status_code == 200
    back = move(writer, ada, {"to": "sql", "reason": "Deal lost"}, slash="/")
    assert (back.json()["stage"], back.json()["label"]) == ("sql", "SQL")
    assert [
        {key: row[key] for key in ("from", "to", "reason", "source", "actor")} for row in back.json()["events"]
    ] == [
        {"from": "opportunity", "to": "sql", "reason": "Deal lost", "source": "api", "actor": "key:test"},
        {"from": "", "to": "opportunity", "reason": "Deal opened", "source": "api", "actor": "key:test"},
    ]
    assert ContactEvent.objects.filter(type="lifecycle_changed").count() == 2


def test_who_is_there_already_stays_and_nothing_is_written(writer, ada):
    first = move(writer, ada, {"to": "sql", "reason": "Asked"})
    again = move(writer, ada, {"to": "sql", "reason": "Asked again"})
    assert again.status_code == 200 and again.json() == first.json()
    assert LifecycleEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"to": "vip", "reason": "x"}, [["to"]]),
        ({"to": ["sql"], "reason": "x"}, [["to"]]),
        ({"to": "sql"}, [["reason"]]),
        ({"to": "sql", "reason": " "}, [["reason"]]),
        ({"to": "sql", "reason": "x" * 1001}, [["reason"]]),
        ({"to": "sql", "reason": "a\x00b"}, [["reason"]]),
        ({"to": "sql", "reason": "\ud800"}, [["reason"]]),
        ({"to": "SQL", "reason": 5, "when": "now"}, [["when"], ["to"], ["reason"]]),
        ([], None),
        (b"{", None),
        (b"\xff", None),
    ],
)
def test_what_is_no_move_is_refused_with_its_place(writer, ada, body, places):
    answer = move(writer, ada, body)
    assert answer.status_code == 400 and answer.headers["Content-Type"] == "application/problem+json"
    if places is not None:
        assert [fault["loc"] for fault in answer.json()["errors"]] == places
    assert not LifecycleEvent.objects.exists()


def test_who_may_only_read_moves_nobody(ada):
    assert move(Api(make_key("contacts:read")), ada, {"to": "sql", "reason": "x"}).status_code == 403
    assert not LifecycleEvent.objects.exists()


def test_nobody_who_is_not_there_is_moved(writer):
    url = "/api/v1/contacts/00000000-0000-4000-8000-000000000000/lifecycle"
    assert writer.post_bytes(b'{"to": "sql", "reason": "x"}', url).status_code == 404


# -- all the way -------------------------------------------------------------------------------------------------------


def work() -> None:
    while transactions.run(lambda now: comparing.check_batch(now=now)):
        pass
    journeys.run()


@pytest.mark.django_db(transaction=True)
def test_a_crossing_qualifies_a_lead_whose_owner_is_told_and_a_lost_deal_brings_them_back(writer, ada):
    transactions.run(lambda now: versions.activate(rules=[rule("demo_requested", 60)], now=now))
    for to, message in (("mql", "{{contact.email}} is qualified"), ("sql", "{{contact.email}} is yours again")):
        journeys.publish(
            definition(
                {"tell": step("notify_sales", message=message)},
                slug=f"tell-{to}",
                entry={"trigger": {"type": "lifecycle_changed", "to": to}},
            )
        )
    lost = {"name": "Lost", "cause": {"event": "deal_lost"}, "from_stages": ["opportunity"], "to_stage": "sql"}
    transactions.run(lambda now: progression_rules.save(lost, by="staff:maya", now=now))

    journeys.track(ada.pk, "demo_requested")
    work()
    assert stages.current_stages([ada.pk]) == {ada.pk: "mql"}
    told = SalesTask.objects.get()
    assert (told.owner_email, told.message) == ("maya@example.com", "ada@example.com is qualified")

    move(writer, ada, {"to": "opportunity", "reason": "Deal opened"})
    journeys.track(ada.pk, "deal_lost")
    work()
    assert [row.to_stage for row in LifecycleEvent.objects.order_by("id")] == ["mql", "opportunity", "sql"]
    assert [task.message for task in SalesTask.objects.order_by("id")][1:] == ["ada@example.com is yours again"]


@pytest.mark.django_db(transaction=True)
def test_an_event_that_comes_many_times_at_once_moves_somebody_once(person):
    contact_id = person()
    rule_ = {"name": "Demo", "cause": {"event": "demo"}, "from_stages": ["", "lead"], "to_stage": "sql"}
    transactions.run(lambda now: progression_rules.save(rule_, by="staff:maya", now=now))
    failures: list[BaseException] = []

    def tell(number: int) -> None:
        try:
            journeys.track(contact_id, "demo", key=f"demo {number}")
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=partial(tell, number)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with transaction.atomic():
        assert LifecycleEvent.objects.filter(contact_id=contact_id).count() == 1
    assert ContactEvent.objects.filter(contact_id=contact_id, type="demo").count() == 6
