"""Calls to endpoints: signed, at least once, tried again for days, and nobody waits for somebody else's server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings as project
from django.db import connection, transaction
from django.urls import reverse

from analytics.health import alerts_sources
from contacts import clock, doorbell, events, hops, merging, transactions
from contacts.models import Contact, ContactEvent
from contacts.privacy import erasing, restricting
from delivery import retention, sweep, trouble
from delivery.models import EndpointDelivery, WebhookEndpoint
from delivery.outgoing import calls, endpoints, hearing, posted, posting
from delivery.outgoing.calls import Answered, Unanswered
from delivery.outgoing.posted import MOST_ATTEMPTS, PAUSES, Claim
from tests import journeys
from tests.delivery.outgoing.conftest import add, due_again, post, row, states
from tests.delivery.outgoing.standard import verifies

pytestmark = pytest.mark.django_db(transaction=True)

CLAIM = Claim(1, 1, 1, 1, None)


def track(event_type: str = "signed_up", **more) -> Contact:
    contact = journeys.contact(**{"external_id": "u1", **more.pop("fields", {})})
    journeys.track(contact.pk, event_type, **more)
    return contact


def only() -> EndpointDelivery:
    return EndpointDelivery.objects.get()


def test_the_receiver_gets_a_signed_event_and_the_log_says_so(server):
    made = add(server.url, "order_completed")
    ada = track("order_completed", properties={"total": 12.5, "note": "ask ada@example.com or +49 151 2345678"})
    post()
    (got,) = server.got
    assert (got.method, got.headers["content-type"]) == ("POST", "application/json")
    assert verifies(got, made.secret) and not verifies(got, "whsec_" + "A" * 32)
    event = ContactEvent.objects.get()
    at = event.occurred_at.isoformat().replace("+00:00", "Z")
    assert got.json == {
        "type": "order_completed",
        "timestamp": at,
        "data": {
            "event_id": str(event.pk),
            "occurred_at": at,
            "recorded_at": event.recorded_at.isoformat().replace("+00:00", "Z"),
            "contact": {"id": str(ada.public_id), "external_id": "u1"},
            "properties": {"total": 12.5, "note": "ask a…@example.com or +49…"},
        },
    }
    done = only()
    assert (done.state, done.status, done.attempts, done.reason) == ("delivered", 200, 1, "")
    assert str(done.webhook_id) == got.headers["webhook-id"] and done.duration_ms is not None and done.finished_at


def test_an_endpoint_that_takes_personal_data_gets_the_address_and_the_context(server):
    add(server.url, include_personal_data=True)
    track(properties={"note": "ada@example.com"}, fields={"phone": "+491512345678"})
    post()
    data = server.got[0].json["data"]
    assert data["contact"]["email"] == "ada@example.com" and data["contact"]["phone"] == "+491512345678"
    assert data["properties"] == {"note": "ada@example.com"} and data["context"] == {}


def test_a_merged_contact_is_named_as_who_it_is_now(server):
    add(server.url)
    absorbed, survivor = track(fields={"email": "a@x.example"}), journeys.contact("b@x.example", external_id="u2")
    first, second = sorted([absorbed.pk, survivor.pk])
    transactions.run(lambda now: merging.unite([first, second], source="admin", actor="x", now=now))
    post()
    alive = Contact.objects.get(merged_into=None)
    assert server.got[0].json["data"]["contact"]["id"] == str(alive.public_id)


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        (lambda pk, now: erasing.erase(pk, actor="x", now=now), "contact_erased"),
        (lambda pk, now: restricting.restrict(pk, actor="x", source="x", now=now), "restricted"),
    ],
)
def test_of_who_was_erased_or_restricted_nothing_is_told(server, deed, reason):
    add(server.url)
    ada = track()
    with transaction.atomic():
        deed(ada.pk, clock.now())
    post()
    assert server.got == []
    assert (only().state, only().reason, only().attempts) == ("failed", reason, 0)
    assert WebhookEndpoint.objects.get().failing_since is None  # no fault of theirs


def test_an_event_that_retention_took_is_told_no_more(server):
    add(server.url)
    track()
    EndpointDelivery.objects.update(event_recorded_at="2001-01-01T00:00:00Z")
    post()
    assert server.got == [] and only().reason == "event_gone"


def test_what_fails_is_tried_again_with_the_same_id_and_another_timestamp(server):
    made = add(server.url)
    track()
    server.answers(500)
    post()
    assert (only().state, only().status, only().reason, len(server.got)) == ("queued", 500, "status_500", 1)
    assert timedelta(0) < only().due_at - clock.now() < timedelta(seconds=6)
    assert row(made).failing_since is not None
    server.answers(204, b"")
    due_again()
    post()
    first, second = server.got
    assert first.headers["webhook-id"] == second.headers["webhook-id"] and first.body == second.body
    assert verifies(second, made.secret)
    assert (only().state, only().attempts, row(made).failing_since) == ("delivered", 2, None)


def test_it_is_given_up_after_ten_attempts_in_about_three_days(server):
    add(server.url)
    track()
    server.answers(404)
    for _ in range(MOST_ATTEMPTS + 3):
        due_again()
        post()
    assert len(server.got) == MOST_ATTEMPTS == 10
    assert (only().state, only().reason) == ("failed", "status_404")
    assert timedelta(days=3) < sum(PAUSES, timedelta()) < timedelta(days=3.5)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answered(302, {}, b"", True), "redirected"),
        (Answered(401, {}, b"", True), "status_401"),
        (Unanswered("timeout"), "timeout"),
        (Unanswered("private_address", refused=True), "private_address"),
    ],
)
def test_whatever_is_no_2xx_is_tried_again(answer, reason):
    now = clock.now()
    outcome = posted.meaning(CLAIM, answer, 7, now=now)
    assert (outcome.state, outcome.reason, outcome.took) == ("queued", reason, 7)
    assert now + 0.9 * PAUSES[0] <= outcome.again_at <= now + 1.1 * PAUSES[0]


@pytest.mark.parametrize(
    ("status", "asked", "seconds"),
    [(429, "600", 600), (503, "60", 60), (503, "99999999", 86_400), (500, "600", 5), (429, "Wed, 21 Oct", 5),
     (429, "²", 5)],
)  # fmt: skip
def test_a_receiver_may_put_us_off_within_bounds(status, asked, seconds):
    now = clock.now()
    outcome = posted.meaning(CLAIM, Answered(status, {"retry-after": asked}, b"", True), 1, now=now)
    assert 0.9 * seconds <= (outcome.again_at - now).total_seconds() <= max(seconds, 1.1 * 5)


def test_gone_disables_the_endpoint_and_staff_hear_of_it(server):
    made = add(server.url)
    track()
    server.answers(410)
    post()
    assert (row(made).state, row(made).disabled_reason, states()) == ("disabled", "gone", ["queued"])
    (found,) = [each for each in trouble.look(now=clock.now()) if each.kind == "endpoint"]
    assert found.grave and found.about == str(made.id)
    told = {each.key: each for each in alerts_sources.post(clock.now())}[f"endpoint:{made.id}"]
    assert told.where == reverse("admin:delivery_webhookendpoint_change", args=[made.id])
    transactions.run(lambda now: endpoints.disable(made.id, now=now))  # somebody knows
    assert [each for each in trouble.look(now=clock.now()) if each.kind == "endpoint"] == []


def test_an_endpoint_that_failed_for_five_days_is_disabled_and_one_that_answered_once_is_not(server):
    made = add(server.url)
    ada = track()
    server.answers(500)
    post()
    since = clock.now() - posted.FAILS_FOR
    WebhookEndpoint.objects.update(failing_since=since + timedelta(minutes=5))
    due_again()
    post()
    assert row(made).state == "enabled"
    WebhookEndpoint.objects.update(failing_since=since)
    server.answers(200)
    journeys.track(ada.pk, "signed_up", key="2")
    due_again()
    post()
    assert (row(made).state, row(made).failing_since) == ("enabled", None)
    server.answers(500)
    WebhookEndpoint.objects.update(failing_since=since)
    journeys.track(ada.pk, "signed_up", key="3")
    post()
    assert (row(made).state, row(made).disabled_reason) == ("disabled", "failing")


WORKER = """
import django; django.setup()
from delivery.outgoing import posting
posting.post_batch(patience=None)
"""


@pytest.mark.parametrize(("dies_at", "calls"), [("delivery.posts_claimed", 0), ("delivery.posts_answered", 1)])
def test_a_call_whose_worker_was_killed_is_made_again_under_the_same_id(server, dies_at, calls):
    add(server.url)
    track()
    _killed(dies_at)
    assert len(server.got) == calls and states() == ["calling"]
    post()  # its lease still holds
    assert len(server.got) == calls
    due_again()
    post()
    assert {got.headers["webhook-id"] for got in server.got} == {str(only().webhook_id)}
    assert (len(server.got), only().state, only().attempts) == (calls + 1, "delivered", 2)


def _killed(dies_at: str) -> None:
    """Makes one batch of calls in a process of its own, which is killed at a named point."""
    db = connection.settings_dict
    own = {
        "DJANGO_SETTINGS_MODULE": "config.settings", "CARILLON_CHAOS": f"{dies_at}=kill:1",
        "DATABASE_URL": f"postgres://{db['USER']}:{db['PASSWORD']}@{db['HOST']}:{db['PORT']}/{db['NAME']}",
        "WEBHOOK_ALLOWED_HOSTS": "127.0.0.1", "SECRET_KEY": project.SECRET_KEY,
        "REDIS_URL": project.REDIS_URL, "REDIS_PREFIX": project.REDIS_PREFIX,
    }  # fmt: skip
    killed = subprocess.run([sys.executable, "-c", WORKER], env=os.environ | own, cwd=project.BASE_DIR, check=False)
    assert killed.returncode == -signal.SIGKILL


def test_who_answers_after_the_end_of_the_lease_changes_nothing(server):
    add(server.url)
    track()
    _, ((claim, _),) = transactions.run(lambda now: posting._claim(1, now))
    due_again()
    post()
    late = posted.meaning(claim, Answered(500, {}, b"", True), 1, now=clock.now())
    transactions.run(lambda now: posted.write([late], now=now))
    assert (only().state, only().status) == ("delivered", 200)


def test_a_delivery_that_kills_every_worker_is_given_up(server):
    add(server.url)
    track()
    EndpointDelivery.objects.update(state="calling", attempts=MOST_ATTEMPTS, due_at="2020-01-01T00:00:00Z")
    post()
    assert server.got == [] and (only().state, only().reason) == ("failed", "worker_lost")


def test_a_name_that_turns_out_private_is_not_connected_to(server, settings, monkeypatch):
    settings.WEBHOOK_ALLOWED_HOSTS = []
    add("https://hooks.example.com/")
    asked = []

    async def look_up(host, port):
        asked.append(host)
        return [("127.0.0.1", 2)]

    monkeypatch.setattr(calls, "look_up", look_up)
    track()
    post()
    assert asked == ["hooks.example.com"] and server.got == []
    assert (only().state, only().reason) == ("queued", "private_address")


def test_a_ping_is_a_call_of_no_event(server):
    made = add(server.url)
    with transaction.atomic():
        hearing.ping(made.id, now=clock.now())
    post()
    (got,) = server.got
    assert verifies(got, made.secret)
    assert (got.json["type"], got.json["data"]) == ("ping", {"endpoint": str(row(made).public_id)})


def test_the_bell_rings_on_commit_and_the_sweep_rings_again(server, monkeypatch):
    rung = []
    monkeypatch.setattr(doorbell, "ring", lambda task, lane: rung.append((task, lane)))
    add(server.url)
    track()
    assert (endpoints.BELL, "delivery_bulk") in rung
    rung.clear()
    sweep.ring_where_work_waits(now=clock.now())
    assert (endpoints.BELL, "delivery_bulk") in rung
    post()
    rung.clear()
    sweep.ring_where_work_waits(now=clock.now())
    assert (endpoints.BELL, "delivery_bulk") not in rung


def test_the_log_is_kept_for_a_time(server, settings):
    add(server.url)
    track()
    EndpointDelivery.objects.update(created_at=clock.now() - timedelta(days=31))
    settings.WEBHOOK_DELIVERY_RETENTION = ""
    retention.prune_batch()
    assert EndpointDelivery.objects.exists()
    settings.WEBHOOK_DELIVERY_RETENTION = "P30D"
    retention.prune_batch()
    assert not EndpointDelivery.objects.exists()


# -- chains ------------------------------------------------------------------------------------------------------------


def carrying(context: dict, *, own: bool = False) -> None:
    """An event with this context, of ours or as a producer sends it."""
    contact = journeys.contact(external_id="u1")
    event = events.NewEvent("signed_up", None, contact.pk, {}, context, own=own)
    source = events.OWN if own else "api"
    transactions.run(lambda now: events.record_batch([event], source=source, now=now))


@pytest.mark.parametrize(
    ("context", "own", "said"),
    [
        ({}, False, "1"),
        ({"carillon_hops": 4}, False, "5"),
        ({"via": ["a", "b"]}, True, "3"),
        ({"via": ["a", "b"], "carillon_hops": 4}, True, "7"),
        ({"via": ["a", "b"]}, False, "1"),
        ({"carillon_hops": "4"}, False, "1"),
    ],
)
def test_a_call_says_how_many_journeys_and_calls_led_to_it(server, context, own, said):
    add(server.url)
    carrying(context, own=own)
    post()
    assert [got.headers["carillon-hops"] for got in server.got] == [said]


def test_a_ping_is_the_first_call_of_its_chain(server):
    made = add(server.url)
    transactions.run(lambda now: hearing.ping(made.id, now=now))
    post()
    assert server.got[0].headers["carillon-hops"] == "1"


def test_what_stands_at_the_end_of_a_chain_is_told_to_nobody_and_the_log_says_why(server):
    add(server.url)
    carrying({"carillon_hops": hops.MOST})
    post()
    assert server.got == []
    assert (only().state, only().reason) == ("failed", "loop")
