"""What goes round in a circle comes to rest: by the number of journeys and calls that led here, whichever way it took,
and by how often a contact may enter a journey within a day."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import clock, hops, transactions
from contacts.audiences import lists
from contacts.models import ContactEvent
from tests import journeys
from tests.contacts.conftest import make_key
from tests.journeys import definition, step
from tests.receiver import receiving
from workflows import intake
from workflows.definition.schema import STEP_LIMIT
from workflows.entry import hops as entry_hops
from workflows.errands import webhook_calls
from workflows.models import Enrolment, EntryRefusal, JournalEntry, WebhookCall

pytestmark = pytest.mark.django_db(transaction=True)

END = {"tag": step("add_tag", tag="t")}


@pytest.fixture
def receiver(settings):
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    settings.WEBHOOK_TIMEOUT_SECONDS = 5.0
    with receiving() as found:
        yield found


@pytest.fixture
def api(client):
    """POST with a key for everything that is needed here; `hops`: the header."""
    key = make_key("events:write", "workflows:write", "workflows:read")

    def send(path: str, body: dict, *, hops: str | None = None):
        headers = {"Authorization": f"Bearer {key}", **({} if hops is None else {"Carillon-Hops": hops})}
        return client.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json", headers=headers)

    return send


def entry(event: str = "signed_up", **more) -> dict:
    return {"trigger": {"type": "event", "event": event}, "re_entry": {"policy": "every_time"}, **more}


def signed_up(api, hops: str | None) -> None:
    answer = api("events", {"events": [{"type": "signed_up", "contact": {"external_id": "u1"}}]}, hops=hops)
    assert answer.json()["accepted"] == 1
    journeys.run()


def call(lane: str = "urgent") -> None:
    while webhook_calls.call_batch(lane, patience=None):
        pass
    journeys.run()


def refusals() -> list[tuple[str, dict]]:
    return list(EntryRefusal.objects.order_by("id").values_list("reason", "detail"))


# -- calls -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("arrived", "said"), [(None, "1"), ("0", "1"), ("x", "1"), ("1", "2"), ("9", "10")])
def test_a_call_says_one_more_than_led_to_the_enrolment(api, receiver, arrived, said):
    journeys.publish(definition({"call": step("call_webhook", url=receiver.url)}, entry=entry()))
    signed_up(api, arrived)
    call()
    assert [got.headers["carillon-hops"] for got in receiver.got] == [said]


def test_a_journey_that_another_one_led_to_counts_both(api, receiver):
    journeys.publish(definition({"call": step("call_webhook", url=receiver.url)}, slug="second", entry=entry("go")))
    journeys.publish(definition({"emit": step("emit_event", type="go")}, entry=entry()))
    signed_up(api, "3")
    call()
    assert receiver.got[0].headers["carillon-hops"] == "5"
    trigger = Enrolment.objects.get(workflow__slug="second").trigger
    assert (trigger["via"], trigger["hops"]) == (["journey"], 3)
    answered = ContactEvent.objects.get(type="webhook_answered")
    assert answered.context == {"via": ["journey", "second"], "carillon_hops": 3}


def test_nobody_sets_the_header_by_hand(api):
    journeys.publish(definition(END))
    steps = {"call": step("call_webhook", url="https://example.com", headers={"carillon-hops": "0"})}
    found = api("workflows/journey/validate", definition(steps)).json()["problems"]
    assert [(each["field"], each["message"]) for each in found] == [
        ("config.headers.carillon-hops", "carillon-hops is set by us")
    ]


def test_at_the_end_of_the_chain_no_call_is_made_and_the_journal_says_why(api, receiver):
    steps = {"call": step("call_webhook", {"next": "emit"}, url=receiver.url), "emit": step("emit_event", type="warm")}
    journeys.publish(definition(steps, entry=entry()))
    signed_up(api, str(hops.MOST))
    call()
    enrolment = Enrolment.objects.get()
    assert (enrolment.state, receiver.got, WebhookCall.objects.count()) == ("completed", [], 0)
    assert {row.detail["skipped"] for row in JournalEntry.objects.filter(enrolment_id=enrolment.pk)} == {"loop"}


def test_beyond_the_end_an_event_is_stored_and_starts_nothing_and_the_refusal_says_why(api):
    journeys.publish(definition(END, entry=entry()))
    signed_up(api, str(hops.MOST + 1))
    assert ContactEvent.objects.filter(type="signed_up").count() == 1
    assert not Enrolment.objects.exists()
    assert refusals() == [("loop", {"hops": hops.MOST + 1})]


def test_intake_costs_the_same_with_and_without_a_chain(api):
    journeys.publish(definition(END, entry=entry()))
    costs = []
    for arrived in (None, None, "4"):
        names = [(f"{n}", f"{len(costs)}-{n}") for n in range(30)]
        events = [{"type": "signed_up", "contact": {"external_id": who}, "event_id": key} for who, key in names]
        api("events", {"events": events}, hops=arrived)
        Enrolment.objects.all().delete()
        with CaptureQueriesContext(connection) as queries:
            while intake.match_batch(lane="urgent"):
                pass
        assert Enrolment.objects.count() == 30
        costs.append(len(queries))
    assert costs[1] == costs[2]


# -- enrolling over HTTP -----------------------------------------------------------------------------------------------


def test_who_is_enrolled_by_a_request_of_a_chain_is_one_more_of_it(api, receiver):
    journeys.publish(definition({"call": step("call_webhook", url=receiver.url)}, entry={"trigger": {"type": "api"}}))
    contact = journeys.contact()
    assert api("workflows/journey/enrol", {"contacts": [str(contact.public_id)]}, hops="6").json()["entered"] == 1
    journeys.run()
    call()
    assert receiver.got[0].headers["carillon-hops"] == "7"


def test_beyond_the_end_of_a_chain_nobody_is_enrolled(api):
    journeys.publish(definition(END, entry={"trigger": {"type": "api"}}))
    who = str(journeys.contact().public_id)
    answer = api("workflows/journey/enrol", {"contacts": [who]}, hops="11")
    assert answer.status_code == 200
    assert answer.json()["refused"] == [{"contact": who, "reason": "loop"}]
    assert refusals() == [("loop", {"by": "api", "hops": 11})]


def test_what_one_journey_led_to_brings_in_no_audience(api):
    journeys.publish(definition(END, entry={"trigger": {"type": "api"}}))
    journeys.contact(attributes={"country": "DE"})
    body = {"audience": {"field": "country", "op": "eq", "value": "DE"}}
    refused = api("workflows/journey/enrol", body, hops="1")
    assert refused.status_code == 409 and "Carillon-Hops" in refused.json()["detail"]
    assert api("workflows/journey/enrol", {**body, "dry_run": True}, hops="1").json()["matching"] == 1
    assert api("workflows/journey/enrol", body).status_code == 202


# -- circles within ----------------------------------------------------------------------------------------------------


def test_a_journey_that_records_what_starts_it_ends_after_so_many_rounds(api):
    journeys.publish(definition({"emit": step("emit_event", type="signed_up")}, entry=entry()))
    signed_up(api, None)
    assert Enrolment.objects.count() == hops.MOST + 1
    assert ContactEvent.objects.filter(type="signed_up").count() == hops.MOST + 1
    last = Enrolment.objects.latest("id")
    assert JournalEntry.objects.get(enrolment_id=last.pk).detail == {"skipped": "loop", "journeys": hops.MOST}


def test_what_a_chain_brought_here_leaves_that_many_rounds_less(api):
    journeys.publish(definition({"emit": step("emit_event", type="signed_up")}, entry=entry()))
    signed_up(api, "7")
    assert Enrolment.objects.count() == hops.MOST - 7 + 1


CIRCLES = {
    "tag": (
        {"trigger": {"type": "tag_added", "tag": "t"}},
        {"off": step("remove_tag", {"next": "on"}, tag="t"), "on": step("add_tag", tag="t")},
    ),
    "list": (
        {"trigger": {"type": "list_joined", "list": "news"}},
        {"off": step("remove_from_list", {"next": "on"}, list="news"), "on": step("add_to_list", list="news")},
    ),
    "stage": (
        {"trigger": {"type": "lifecycle_changed", "to": "mql"}},
        {"off": step("change_lifecycle_stage", {"next": "on"}, to="lead"),
         "on": step("change_lifecycle_stage", to="mql")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CIRCLES)
def test_a_circle_of_tags_lists_or_stages_ends_too(api, kind):
    """The step does its work in the last round, too; what it brings about starts nothing more, and says why."""
    transactions.run(lambda now: lists.create(slug="news", name="News", now=now))
    how, steps = CIRCLES[kind]
    journeys.publish(definition(steps, slug="round", entry={**how, "re_entry": {"policy": "every_time"}}))
    journeys.publish(definition({"on": steps["on"]}))
    signed_up(api, None)
    assert Enrolment.objects.filter(workflow__slug="round").count() == hops.MOST
    assert refusals() == [("loop", {"via": ["journey", *["round"] * hops.MOST]})]
    assert Enrolment.objects.filter(finished_at=None).count() == 0


def test_a_circle_that_takes_longer_than_a_day_is_meant_and_goes_on(api):
    trigger = {"trigger": {"type": "tag_added", "tag": "due"}, "re_entry": {"policy": "every_time"}}
    steps = {
        "week": step("wait", {"next": "off"}, mode="duration", **{"for": "P7D"}),
        "off": step("remove_tag", {"next": "on"}, tag="due"),
        "on": step("add_tag", tag="due"),
    }
    journeys.publish(definition(steps, slug="weekly", entry=trigger))
    journeys.publish(definition({"on": step("add_tag", tag="due")}))
    signed_up(api, None)
    for _ in range(2 * hops.MOST):
        week_ago = (clock.now() - timedelta(days=7)).isoformat()
        waiting = Enrolment.objects.get(workflow__slug="weekly", finished_at=None)
        Enrolment.objects.filter(pk=waiting.pk).update(trigger={**waiting.trigger, "occurred_at": week_ago})
        journeys.wake_all()
        journeys.run()
    assert Enrolment.objects.filter(workflow__slug="weekly").count() == 2 * hops.MOST + 1
    assert refusals() == []


def test_what_came_over_another_server_counts_however_long_it_takes():
    long_ago = {"occurred_at": "2020-01-01T00:00:00+00:00", "via": ["a", "b"]}
    assert entry_hops.of_fact(long_ago, "c", clock.now()) == {"via": ["c"]}
    assert entry_hops.of_fact({**long_ago, "hops": 3}, "c", clock.now()) == {"via": ["a", "b", "c"], "carillon_hops": 3}


# -- entries within a day ----------------------------------------------------------------------------------------------


def test_a_contact_enters_a_journey_so_often_within_a_day_and_the_refusal_says_so(settings):
    settings.ENTRIES_PER_CONTACT_PER_DAY = 3
    keyed = {"trigger": {"type": "event", "event": "paid"}, "re_entry": {"policy": "every_time", "key": "event.order"}}
    journeys.publish(definition(END, entry=keyed))
    journeys.publish(definition(END, slug="other", entry=keyed))
    ada, bea = journeys.contact("ada@example.com").pk, journeys.contact("bea@example.com").pk
    for order in range(2):
        journeys.track(ada, "paid", properties={"order": order}, key=f"o{order}")
        journeys.run()
    for order in range(2, 5):  # the rest in one batch
        journeys.track(ada, "paid", properties={"order": order}, key=f"o{order}")
    journeys.track(bea, "paid", properties={"order": 9})
    journeys.run()
    for slug in ("journey", "other"):
        mine = Enrolment.objects.filter(workflow__slug=slug)
        assert sorted(mine.values_list("contact_id", "entry_key")) == [(ada, "0"), (ada, "1"), (ada, "2"), (bea, "9")]
    assert refusals() == [("too_often", {"entered": 3})] * 4


def test_a_day_later_they_may_enter_again(settings):
    settings.ENTRIES_PER_CONTACT_PER_DAY = 1
    journeys.publish(definition(END, entry=entry("paid")))
    ada = journeys.contact().pk
    for order in range(2):
        journeys.track(ada, "paid", key=f"o{order}")
        journeys.run()
    assert Enrolment.objects.count() == 1
    Enrolment.objects.update(entered_at=clock.now() - timedelta(hours=24, seconds=1))
    journeys.track(ada, "paid", key="o3")
    journeys.run()
    assert Enrolment.objects.count() == 2


def test_an_enrolment_takes_no_more_steps_than_its_journey_has(api):
    """A journey has no loops and at most so many steps, so its journal ends: here it takes every one of them, once."""
    most = STEP_LIMIT
    steps = {
        f"s{n}": step("add_tag", {"next": f"s{n + 1}" if n + 1 < most else None}, tag=f"t{n}") for n in range(most)
    }
    journeys.publish(definition(steps))
    signed_up(api, None)
    enrolment = Enrolment.objects.get()
    assert (enrolment.state, enrolment.seq) == ("completed", most)
    assert JournalEntry.objects.filter(enrolment_id=enrolment.pk).count() == most
    back = {**steps, f"s{most - 1}": step("add_tag", {"next": "s0"}, tag="t")}
    found = api("workflows/journey/validate", definition(back)).json()["problems"]
    assert {(each["code"], each["severity"]) for each in found} == {("cycle", "error")}
