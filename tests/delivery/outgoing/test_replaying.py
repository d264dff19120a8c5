"""Deliveries made once more: one by its id, or what was recorded in a span of time."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection

from contacts import clock, consent, transactions
from contacts.consent import Consent
from contacts.models import AuditEntry, ContactEvent
from delivery.models import EndpointDelivery
from delivery.outgoing import endpoints, replaying
from delivery.outgoing.endpoints import BadEndpoint
from delivery.outgoing.replaying import Replayed
from tests import journeys
from tests.delivery.outgoing.conftest import add, due_again, post, states
from tests.delivery.outgoing.standard import verifies

pytestmark = pytest.mark.django_db(transaction=True)

LONG_AGO, HOUR = timedelta(days=2), timedelta(hours=1)


def span(made: endpoints.Made, *, since: datetime | None = None, until: datetime | None = None, **more) -> Replayed:
    now = clock.now()
    whole = {"since": since or now - HOUR, "until": until or now + HOUR}
    return transactions.run(lambda now: replaying.span(made.id, **whole, **more, now=now))


def ids(server) -> list[str]:
    return [got.headers["webhook-id"] for got in server.got]


def test_one_is_sent_once_more_under_the_same_id_and_in_a_row_of_its_own(server):
    made = add(server.url)
    journeys.track(journeys.contact().pk, "signed_up")
    post()
    first = EndpointDelivery.objects.get()
    new = transactions.run(lambda now: replaying.one(made.id, str(first.public_id), now=now))
    assert new != str(first.public_id)
    post()
    assert len(ids(server)) == 2 and len(set(ids(server))) == 1 and verifies(server.got[1], made.secret)
    assert states() == ["delivered", "delivered"]
    assert AuditEntry.objects.filter(what="webhook_endpoint.replayed").count() == 1


def test_what_is_under_way_or_somebody_elses_is_not_sent_once_more(server):
    made, other = add(server.url), add(server.url)
    journeys.track(journeys.contact().pk, "signed_up")
    mine = EndpointDelivery.objects.get(endpoint_id=made.id)
    with pytest.raises(replaying.StillOpen):
        transactions.run(lambda now: replaying.one(made.id, str(mine.public_id), now=now))
    with pytest.raises(LookupError):
        transactions.run(lambda now: replaying.one(other.id, str(mine.public_id), now=now))


def test_a_span_brings_what_was_recorded_while_the_endpoint_was_disabled(server):
    made = add(server.url)
    ada = journeys.contact()
    journeys.track(ada.pk, "signed_up", key="taken")
    post()
    transactions.run(lambda now: endpoints.disable(made.id, now=now))
    journeys.track(ada.pk, "signed_up", key="missed")
    journeys.track(ada.pk, "viewed")
    transactions.run(lambda now: endpoints.enable(made.id, now=now))
    assert span(made, only_failed=True) == Replayed(1, None)
    post()
    assert len(set(ids(server))) == 2
    assert span(made) == Replayed(2, None)
    assert span(made) == Replayed(0, None)  # they are under way
    post()
    assert len(ids(server)) == 4 and len(set(ids(server))) == 2
    assert span(made, only_failed=True) == Replayed(0, None)


def test_what_was_given_up_is_what_only_failed_brings(server):
    made = add(server.url)
    people = journeys.contacts(2)
    journeys.track(people, "signed_up")
    post()
    EndpointDelivery.objects.filter(contact_id=people[0]).update(state="failed")
    assert span(made, only_failed=True).queued == 1
    assert EndpointDelivery.objects.get(is_replay=True).contact_id == people[0]


def test_types_narrow_a_span_and_never_widen_what_is_heard_of(server):
    made, every = add(server.url, "signed_up", "left"), add(server.url, "*")
    transactions.run(lambda now: endpoints.disable(made.id, now=now))
    transactions.run(lambda now: endpoints.disable(every.id, now=now))
    ada = journeys.contact()
    for kind in ("signed_up", "left", "viewed"):
        journeys.track(ada.pk, kind)
    assert span(made, event_types=["left", "viewed"]).queued == 1
    assert span(made, event_types=["viewed"]).queued == 0
    assert span(every, event_types=["left", "viewed"]).queued == 2
    assert span(every).queued == 1


def test_what_consent_holds_back_or_was_too_old_is_not_replayed_either(server):
    made = add(server.url)
    bob = journeys.contact("bob@example.com")
    denied = [Consent(bob.pk, "tracking", consent.DENIED)]
    transactions.run(lambda now: consent.record(denied, source="api", now=now))
    journeys.track(bob.pk, "signed_up")
    journeys.track(journeys.contact().pk, "signed_up", occurred_at=clock.now() - timedelta(days=40))
    assert ContactEvent.objects.count() == 2 and span(made).queued == 0


def test_a_span_ends_before_its_end_and_begins_at_its_beginning(server):
    made = add(server.url)
    ada = journeys.contact()
    for n in range(5):
        journeys.track(ada.pk, "signed_up", key=str(n))
    post()
    times = list(ContactEvent.objects.order_by("pk").values_list("recorded_at", flat=True))
    assert span(made, since=times[1], until=times[3]).queued == 2
    again = EndpointDelivery.objects.filter(is_replay=True).values_list("event_recorded_at", flat=True)
    assert sorted(again) == times[1:3]


@pytest.mark.parametrize("bound", ["MOST_REPLAYED", "MOST_LOOKED_AT"])
def test_a_long_span_is_replayed_in_several_requests_and_misses_nothing(server, monkeypatch, bound):
    monkeypatch.setattr(replaying, bound, 4)
    monkeypatch.setattr(replaying, "LONGEST_TRANSACTION", timedelta(0))
    made = add(server.url)
    transactions.run(lambda now: endpoints.disable(made.id, now=now))
    ada = journeys.contact()
    for n in range(11):
        journeys.track(ada.pk, "signed_up", key=str(n))
    requests, since, until = 0, clock.now() - HOUR, clock.now() + HOUR
    while True:
        answer = span(made, since=since, until=until)
        assert answer.queued <= 4
        requests += 1
        if answer.go_on_from is None:
            break
        assert answer.go_on_from > since
        since = answer.go_on_from
    replayed = EndpointDelivery.objects.values_list("event_id", flat=True)
    assert requests == 3 and len(replayed) == len(set(replayed)) == 11


def test_a_span_has_a_beginning_before_its_end_and_is_no_longer_than_a_month():
    made = add("https://hooks.example.com/")
    now = clock.now()
    for since, until in ((now, now), (now, now - HOUR), (now - timedelta(days=32), now)):
        with pytest.raises(BadEndpoint):
            span(made, since=since, until=until)
    assert span(made, since=now - LONG_AGO) == Replayed(0, None)  # an empty log


def test_the_place_in_the_log_is_found_by_halving(server):
    people = journeys.contacts(300)
    journeys.track(people, "signed_up")
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, recorded_at FROM contact_events ORDER BY id")
        (first, at), *_ = cursor.fetchall()
    assert replaying._first_id(at) == first
    assert replaying._first_id(at + HOUR) == first + 300
    assert replaying._first_id(at - LONG_AGO) == first


def test_a_replay_is_tried_again_like_any_other(server):
    made = add(server.url)
    journeys.track(journeys.contact().pk, "signed_up")
    post()
    span(made)
    server.answers(500)
    post()
    assert states() == ["delivered", "queued"]
    server.answers(200)
    due_again()
    post()
    assert states() == ["delivered", "delivered"]
