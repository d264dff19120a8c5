"""Mail to one recipient domain goes at its rate, and is in nobody's way while it waits."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
import redis
from django.db import transaction

from contacts import clock
from delivery import gate, sending
from delivery.models import OutboxEntry, SendLogEntry
from delivery.rates import pacing
from tests.delivery import making

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_has_lost_redis():
    pacing._silence["until"] = 0.0
    pacing._lines.clear()


def queue(count: int, domain: str = "shop.example", **changes: object) -> list[making.Message]:
    version = making.template()
    start = next(making._numbers)
    who = [making.contact(f"p{start}-{number}@{domain}").pk for number in range(count)]
    return making.enqueue(*[making.request(each, version, **changes) for each in who])


@pytest.mark.parametrize(
    ("domain", "rate"),
    [
        ("shop.example", 2.0),
        ("mail.shop.example", 5.0),
        ("deep.mail.shop.example", 5.0),
        ("a.deep.example", 7.0),
        ("b.a.deep.example", 7.0),
        ("other.example", 5.0),
        ("example", None),
        ("elsewhere.test", None),
    ],
)
def test_a_name_goes_before_a_wildcard_and_a_longer_one_before_a_shorter(settings, domain, rate):
    settings.RECIPIENT_DOMAIN_RATES = {"shop.example": 2.0, "*.example": 5.0, "*.deep.example": 7.0}
    assert pacing.rate_of(domain) == rate


def test_a_star_alone_means_everybody_else(settings):
    settings.RECIPIENT_DOMAIN_RATES = {"shop.example": 2.0, "*": 9.0}
    assert pacing.rate_of("anywhere.test") == 9.0 and pacing.rate_of("shop.example") == 2.0


def test_what_has_its_turn_later_is_due_then_without_a_word_in_the_log(settings):
    settings.RECIPIENT_DOMAIN_RATES = {"shop.example": 1.0}
    slow, other = queue(10), queue(1, "elsewhere.example")
    with transaction.atomic():
        now = clock.now()
        batch = gate.claim("urgent", limit=50, provider="sandbox", now=now)
    assert batch.taken == 11
    rows = {row.message_id: row for row in OutboxEntry.objects.all()}
    waiting = [rows[message.pk] for message in slow if rows[message.pk].state == "queued"]
    assert rows[other[0].pk].state == "sending"
    assert 6 <= len(waiting) <= 9
    assert all(row.is_paced and row.due_at > now and row.attempt == 0 for row in waiting)
    assert not SendLogEntry.objects.filter(message_id__in=[row.message_id for row in waiting]).exists()
    assert len({row.due_at for row in waiting}) > len(waiting) / 2


def test_a_turn_is_taken_once_and_never_asked_for_again(settings):
    settings.RECIPIENT_DOMAIN_RATES = {"shop.example": 1.0}
    messages = queue(10)
    sending.deliver_batch("urgent")
    before = {row.message_id: row.due_at for row in OutboxEntry.objects.all()}
    making.age("due_at", "outbox", "8 seconds")
    sending.deliver_batch("urgent")
    assert not {message_id for message_id, due in before.items() if due < clock.now() + timedelta(seconds=7)} & set(
        OutboxEntry.objects.values_list("message_id", flat=True)
    )
    assert "queued" in making.states(messages) or OutboxEntry.objects.count() == 0


def test_who_comes_long_after_its_turn_stands_in_line_again(settings):
    """After a stop of an hour not all turns of that hour go out at once."""
    settings.RECIPIENT_DOMAIN_RATES = {"shop.example": 1.0}
    messages = queue(30)
    sending.deliver_batch("urgent")
    left = OutboxEntry.objects.count()
    assert left > 20
    making.age("due_at", "outbox", "1 hour")
    sending.deliver_batch("urgent")
    assert left - OutboxEntry.objects.count() <= 5
    assert OutboxEntry.objects.filter(message__in=messages, due_at__gt=clock.now()).count() > 15


def test_an_urgent_mail_does_not_wait_behind_a_campaign(settings):
    settings.RECIPIENT_DOMAIN_RATES = {"shop.example": 2.0}
    queue(150, lane="bulk")
    assert sending.deliver_batch("bulk") and sending.deliver_batch("bulk")
    (welcome,) = queue(1)
    sending.deliver_batch("urgent")
    assert making.state(welcome) == "accepted"


def test_a_domain_without_a_rate_is_not_asked_about(settings, monkeypatch):
    settings.RECIPIENT_DOMAIN_RATES = {"elsewhere.example": 1.0}
    monkeypatch.setattr(pacing, "_script", lambda: pytest.fail("nobody needs a turn"))
    messages = queue(20)
    sending.deliver_batch("urgent")
    assert set(making.states(messages)) == {"accepted"}


def test_without_redis_the_process_keeps_a_line_of_its_own(settings, monkeypatch):
    settings.RECIPIENT_DOMAIN_RATES = {"shop.example": 2.0}

    def away(**_: object) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(pacing, "_script", lambda: away)
    messages = queue(20)
    sending.deliver_batch("urgent")
    went = making.states(messages).count("accepted")
    assert 1 <= went <= 8


@pytest.mark.django_db(transaction=True)
def test_the_providers_see_a_domains_mail_at_its_rate(esp, settings):
    settings.RECIPIENT_DOMAIN_RATES = {"shop.example": 10.0}
    settings.TIME_SPEED = 1000.0  # makes nobody's mail server faster
    queue(25)
    until = time.monotonic() + 20
    while len(esp.received) < 25 and time.monotonic() < until:
        sending.deliver_batch("urgent")
    at = sorted(each.at for each in esp.received)
    assert len(at) == 25
    for first in range(25):
        within = sum(1 for each in at if at[first] <= each < at[first] + 1.0)
        assert within <= 10 * 2 + 2 + 2  # a second's worth and what was saved up, and the step between two looks
    assert at[-1] - at[0] >= (25 - 12) / 10 - 0.2
