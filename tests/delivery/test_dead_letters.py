"""What was given up can be sent anew, if it provably was not accepted; and the books balance."""

from __future__ import annotations

import json
from typing import Any

import pytest

from analytics.counting import books, counters, rebuild
from contacts import access, clock
from delivery import dead_letters, sending
from delivery.models import OutboxEntry, SendLogEntry
from tests.delivery import making
from tests.delivery.esp import Reaction

pytestmark = pytest.mark.django_db


def replay(*messages: making.Message) -> dead_letters.Replayed:
    return dead_letters.replay([message.pk for message in messages], now=clock.now())


def given_up(esp: Any, status: int = 400) -> making.Message:
    esp.react = lambda nth, body: Reaction(status=status)
    message = making.message(workflow_id=7, version_id=making.template(), step="hello")
    sending.deliver_batch("urgent")
    esp.react = lambda nth, body: Reaction()
    return message


def test_a_rejected_message_is_sent_anew_with_all_its_attempts(esp, told):
    message = given_up(esp)
    assert making.state(message) == "rejected:invalid_message"
    assert replay(message) == dead_letters.Replayed((message.pk,), {})
    row = OutboxEntry.objects.get()
    assert (row.state, row.attempt, row.lane, row.channel) == ("queued", 0, "urgent", "email")
    making.deliver()
    assert making.state(message) == "accepted"
    assert making.log(message) == ["claimed", "rejected", "replayed", "claimed", "accepted"]
    assert [each.kind for each in told] == ["rejected", "replayed", "accepted"]
    assert sum(SendLogEntry.objects.values_list("cap_delta", flat=True)) == 1


@pytest.mark.django_db(transaction=True)
def test_one_whose_attempts_were_used_up_has_them_again(esp, settings):
    settings.ESP_MAX_ATTEMPTS = 1
    message = given_up(esp, 408)
    assert making.state(message) == "rejected:retries_exhausted"
    replay(message)
    making.deliver()
    assert making.state(message) == "accepted"


def test_the_gate_decides_anew(esp):
    message = given_up(esp)
    making.change("UPDATE contacts SET email = '' WHERE id = %s", [message.contact_id])
    replay(message)
    making.deliver()
    assert making.state(message) == "suppressed:no_address"


def test_what_may_have_been_sent_stays_as_it_is(esp):
    doubtful = given_up(esp, 502)
    accepted = making.message()
    making.deliver()
    undetermined = given_up(esp, 502)
    making.change("DELETE FROM outbox WHERE message_id = %s", [undetermined.pk])
    SendLogEntry.objects.create(
        message=undetermined, contact_id=1, channel="email", kind="undetermined", at=clock.now()
    )
    reported = given_up(esp)
    making.change(
        "INSERT INTO message_feedback (message_id, kind, occurred_at, recorded_at, provider, dedup_hash)"
        " VALUES (%s, 'delivered', now(), now(), 'sendgrid', 'x')",
        [reported.pk],
    )
    queued = making.message()
    before = SendLogEntry.objects.count()
    asked = [*(each.pk for each in (doubtful, accepted, undetermined, queued, reported)), 2**40]
    done = dead_letters.replay(asked, now=clock.now())
    assert done.messages == ()
    why = [done.refused[message_id] for message_id in asked]
    assert why == ["open", "accepted", "undetermined", "open", "reported", "unknown"]
    assert SendLogEntry.objects.count() == before


def test_twice_at_once_is_once(esp):
    message = given_up(esp)
    assert replay(message).messages == (message.pk,)
    assert replay(message).refused == {message.pk: "open"}
    assert making.log(message).count("replayed") == 1


@pytest.mark.django_db(transaction=True)
def test_two_who_press_the_button_at_the_same_time_send_it_once(esp, beside):
    messages = [given_up(esp) for _ in range(3)]
    done = [beside(lambda: replay(*messages)) for _ in range(4)]
    assert sorted(len(each.result(20).messages) for each in done) == [0, 0, 0, 3]
    making.deliver()
    assert set(making.states(messages)) == {"accepted"}


@pytest.mark.django_db(transaction=True)
def test_the_books_balance_while_it_waits_and_when_it_was_rejected_again(esp):
    message, other = given_up(esp), given_up(esp)
    for status in (None, 400, 202):
        replay(message)
        if status:
            esp.react = lambda nth, body, status=status: Reaction(status=status)
            making.deliver()
        making.run(lambda: bool(counters.fold(limit=1000)))
        wrong = [book for book in books.balance() if not book.balanced]
        assert wrong == []
        assert rebuild.compare().differences == ()
    assert making.states([message, other]) == ["accepted", "rejected:invalid_message"]


@pytest.fixture
def key() -> dict[str, str]:
    made = access.create_key(name="test", kind="secret", scopes=["admin", "delivery:read"], now=clock.now())
    return {"HTTP_AUTHORIZATION": f"Bearer {made}"}


def test_over_http_it_is_queued_once_and_then_says_why_not(esp, client, key):
    message = given_up(esp)
    url = f"/api/v1/messages/{message.public_id}/replay"
    done = client.post(url, **key)
    assert (done.status_code, done.json()) == (200, {"message": str(message.public_id), "replayed": True})
    again = client.post(f"{url}/", **key)
    assert again.status_code == 409 and again["Content-Type"] == "application/problem+json"
    assert "under way" in again.json()["detail"]


@pytest.mark.parametrize("name", ["nobody", "00000000-0000-4000-8000-000000000000", "%00", "x" * 300])
def test_over_http_an_unknown_message_is_not_found(client, key, name):
    assert client.post(f"/api/v1/messages/{name}/replay", **key).status_code == 404


def test_a_message_that_was_sent_anew_is_no_longer_listed_as_rejected(esp, client, key):
    message, other = given_up(esp), given_up(esp)
    replay(message)
    making.deliver()

    def listed(state: str) -> set[str]:
        found = json.loads(client.get(f"/api/v1/messages?state={state}", **key).content)
        return {each["id"] for each in found["results"]}

    assert listed("rejected") == {str(other.public_id)}
    assert listed("accepted") == {str(message.public_id)}
