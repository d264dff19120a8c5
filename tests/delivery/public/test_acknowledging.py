"""Choices are acknowledged like suppressions: once the page answers, no request that they forbid can start."""

from __future__ import annotations

import time

import pytest
from django.test import Client

from delivery.models import Suppression
from delivery.public import unsubscribing
from tests.delivery import making
from tests.delivery.test_gate_races import PausedSender, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    "form",
    [
        {"all_off": "1"},
        {"form": "preferences", "channel": "email", "everything_else": "1"},  # its topic alone
        {"form": "preferences", "topic": "news", "everything_else": "1"},  # its channel alone
    ],
)
def test_a_choice_is_answered_only_when_no_request_that_it_forbids_can_start(form, esp, beside, settings, monkeypatch):
    settings.SEND_LEASE_SECONDS, settings.TOPICS = 10, {"news": "News"}
    message = making.message(making.contact("ada@example.com").pk, topic="news")
    path = f"/preferences/{unsubscribing.token_of(str(message.public_id))}"
    sender = PausedSender(monkeypatch, beside)
    answer = beside(Client().post, path, form)
    wait_until(lambda: Suppression.objects.exists())
    time.sleep(0.1)
    assert not answer.done()  # it is committed, and the claimed request may still start
    sender.go.set()
    sender.done.result(10)
    assert answer.result(10).status_code == 200
    assert len(esp.received) == 1
    later = making.message(message.contact_id, topic="news", override_cap=True)
    making.deliver()
    assert making.state(later) == "suppressed:unsubscribe"
    assert len(esp.received) == 1
