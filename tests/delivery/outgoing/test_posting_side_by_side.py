"""Endpoints beside each other, and workers beside each other: nobody waits for somebody else's server, no call is made
twice at once, no event is missed."""

from __future__ import annotations

import threading
import time
from datetime import datetime

import pytest
from django.db import connection, transaction

from contacts import clock, transactions
from delivery.models import EndpointDelivery, WebhookEndpoint
from delivery.outgoing import posting
from tests import journeys
from tests.delivery.outgoing.conftest import add, post, row, states
from tests.receiver import receiving

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_workers_never_make_one_call_at_once(server):
    add(server.url)
    many = journeys.contacts(150)
    journeys.track(many, "signed_up")
    workers = [threading.Thread(target=_work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    post()
    assert len(server.got) == 150 == len({got.headers["webhook-id"] for got in server.got})
    assert set(states()) == {"delivered"}
    assert set(EndpointDelivery.objects.values_list("attempts", flat=True)) == {1}


def _work():
    try:
        post()
    finally:
        connection.close()


def test_a_dead_endpoint_delays_nobody_else(server, settings):
    settings.WEBHOOK_TIMEOUT_SECONDS = 60.0
    hangs = threading.Event()
    with receiving() as dead:
        dead.answer = lambda _: (hangs.wait(60), (200, {}, b""))[1]
        slow, quick = add(dead.url), add(server.url)
        ids = journeys.contacts(120)
        journeys.track(ids, "signed_up")
        began = time.monotonic()
        try:
            while len(server.got) < 120 and time.monotonic() - began < 50:
                posting.post_batch()
            done = EndpointDelivery.objects.filter(endpoint_id=quick.id, state="delivered")
            while done.count() < 120 and time.monotonic() - began < 50:
                time.sleep(0.02)
            assert len(server.got) == 120
            under_way = EndpointDelivery.objects.filter(endpoint_id=slow.id, state="calling").count()
            assert 0 < under_way <= posting.PLACES  # and the rest of its calls waits for these
        finally:
            hangs.set()
        _until(lambda: not EndpointDelivery.objects.filter(state="calling").exists())


def _until(holds):
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_one_that_fails_has_few_places_and_all_of_them_again_once_it_answers(server):
    made = add(server.url)
    journeys.track(journeys.contacts(10), "signed_up")
    WebhookEndpoint.objects.update(failing_since=clock.now())
    assert len(transactions.run(lambda now: posting._due(100, now))) == posting.PLACES_OF_THE_FAILING
    post()
    assert row(made).failing_since is None and len(server.got) == 10


def test_endpoints_take_turns_within_a_batch(server):
    first, second = add(server.url), add(server.url)
    journeys.track(journeys.contacts(8), "signed_up")
    due = transactions.run(lambda now: posting._due(4, now))
    assert [each.endpoint_id for each in due] == [first.id, second.id] * 2


def test_nothing_is_missed_once_the_endpoint_is_there(server):
    """Events are recorded all the time; whatever begins after the endpoint was committed is heard of, once."""
    people, stop = journeys.contacts(4), threading.Event()
    recorded: list[tuple[datetime, int]] = []

    def record(contact_id: int) -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                with transaction.atomic():
                    began = clock.now()
                    found = journeys.track(contact_id, "signed_up", key=f"{contact_id}:{number}")
                recorded.append((began, found.event_ids[0] or 0))
        finally:
            connection.close()

    threads = [threading.Thread(target=record, args=(pk,)) for pk in people]
    for thread in threads:
        thread.start()
    _until(lambda: len(recorded) > 10)
    add(server.url)
    there = clock.now()
    count = len(recorded)
    _until(lambda: len(recorded) > count + 20)
    stop.set()
    for thread in threads:
        thread.join()
    heard = list(EndpointDelivery.objects.values_list("event_id", flat=True))
    after = {event_id for began, event_id in recorded if began > there}
    assert len(after) >= 16 and after <= set(heard) and len(heard) == len(set(heard))
    post()
    assert {int(got.json["data"]["event_id"]) for got in server.got} == set(heard)
