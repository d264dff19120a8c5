"""Too many complaints or bounces hold the marketing of a domain, and nothing else, until a person lets it go."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from contacts import clock
from delivery import signals, tasks
from delivery.models import SendingDomain, SendingPulse
from delivery.rates import braking, pulses, routes, warming
from delivery.rates.ramps import Day
from delivery.signals import FeedbackNote, TroubleNote
from delivery.webhooks import feedback, vocabulary
from delivery.webhooks.base import Report
from delivery.webhooks.feedback import Sourced
from tests.delivery import making

pytestmark = pytest.mark.django_db
DOMAIN = "carillon.example"


@pytest.fixture
def trouble():
    heard: list[TroubleNote] = []

    def listen(trouble: tuple[TroubleNote, ...], **_: Any) -> None:
        heard.extend(trouble)

    signals.delivery_trouble.connect(listen)
    yield heard
    signals.delivery_trouble.disconnect(listen)


def pulse(delivered: int, hard_bounces: int = 0, complaints: int = 0, *, ago: timedelta = timedelta()) -> None:
    SendingPulse.objects.create(
        domain=DOMAIN, at=clock.now() - ago, delivered=delivered, hard_bounces=hard_bounces, complaints=complaints
    )


def look() -> list[str]:
    return braking.look(now=clock.now())


def note(message: making.Message, kind: str, first: bool = True) -> FeedbackNote:
    return FeedbackNote(message.pk, message.contact_id, None, None, "", kind, is_machine=False, first=first)


def report(*notes: FeedbackNote) -> None:
    signals.feedback_recorded.send(sender=None, feedback=notes, now=clock.now())


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (Day(1000, 0, 3), None),
        (Day(1000, 0, 10), "complaints"),
        (Day(499, 0, 400), None),  # too few to say anything
        (Day(1000, 40, 0), None),
        (Day(1000, 120, 0), "hard_bounces"),
        (Day(0, 600, 0), "hard_bounces"),
        (Day(0, 0, 0), None),
    ],
)
def test_what_brakes(day, reason):
    cause = braking.why(day)
    assert (cause and cause["reason"]) == reason


@pytest.mark.parametrize(("complaints", "bounces"), [(0.0, 5.0), (0.3, 0.0)])
def test_a_limit_of_nothing_means_never(settings, complaints, bounces):
    settings.BRAKE_COMPLAINT_PERCENT, settings.BRAKE_BOUNCE_PERCENT = complaints, bounces
    assert braking.why(Day(1000, 500 if not bounces else 0, 500 if not complaints else 0)) is None


def test_marketing_waits_transactional_mail_flows_and_somebody_is_told(trouble):
    pulse(1000, complaints=20)
    assert look() == [DOMAIN]
    marketing, receipt = making.message(), making.message(message_class="transactional")
    sms = making.message(making.contact(phone="+49301").pk, channel="sms")
    making.deliver()
    assert making.states([marketing, receipt, sms]) == ["queued", "accepted", "accepted"]
    assert making.log(marketing) == []
    row = SendingDomain.objects.get()
    assert row.braked_why["reason"] == "complaints" and row.braked_why["hits"] == 20
    assert [(each.kind, each.about) for each in trouble] == [("brake", DOMAIN)]


def test_it_is_braked_once(trouble):
    pulse(1000, complaints=20)
    look()
    since = SendingDomain.objects.get().braked_at
    pulse(10, complaints=2)
    assert look() == [] and SendingDomain.objects.get().braked_at == since and len(trouble) == 1


def test_a_person_releases_it_and_what_was_reported_before_does_not_brake_again():
    message = making.message()
    pulse(1000, complaints=20, ago=timedelta(minutes=5))
    look()
    assert braking.release(DOMAIN, by="ada@example.com", now=clock.now()) is True
    assert braking.release(DOMAIN, by="ada@example.com", now=clock.now()) is False
    making.deliver()
    assert making.state(message) == "accepted"
    SendingPulse.objects.create(domain=DOMAIN, at=clock.now() + timedelta(minutes=1), delivered=400, complaints=1)
    assert look() == []
    SendingPulse.objects.create(domain=DOMAIN, at=clock.now() + timedelta(minutes=2), delivered=400, complaints=30)
    assert look() == [DOMAIN]
    row = SendingDomain.objects.get()
    assert row.released_by == "ada@example.com" and row.braked_why["sample"] == 800


def test_what_was_reported_more_than_a_day_ago_does_not_count(settings):
    pulse(1000, complaints=20, ago=timedelta(hours=25))
    pulse(1000)
    assert look() == []
    settings.TIME_SPEED = 24.0
    pulse(1000, complaints=20, ago=timedelta(hours=2))
    assert look() == []
    pulse(1000, complaints=60, ago=timedelta(minutes=30))
    assert look() == [DOMAIN]


def test_another_domain_goes_on(settings):
    pulse(1000, complaints=20)
    look()
    settings.EMAIL_FROM = "hello@news.example"
    assert routes.way("email", now=clock.now()).classes == routes.CLASSES


def test_reports_are_counted_once_and_of_marketing_mail_alone():
    marketing, receipt = making.message(), making.message(message_class="transactional")
    sms = making.message(channel="sms")
    report(
        note(marketing, vocabulary.DELIVERED),
        note(marketing, vocabulary.DELIVERED, first=False),
        note(marketing, vocabulary.COMPLAINED),
        note(marketing, vocabulary.OPENED),
        note(receipt, vocabulary.HARD_BOUNCE),
        note(sms, vocabulary.DELIVERED),
    )
    report(note(marketing, vocabulary.HARD_BOUNCE))
    pulses.fold(now=clock.now())
    (row,) = SendingPulse.objects.all()
    assert (row.domain, row.delivered, row.hard_bounces, row.complaints) == (DOMAIN, 1, 1, 1)


def test_folding_changes_no_sum_and_keeps_one_row_a_minute():
    for number in range(30):
        pulse(number, 1, 1)
        pulse(number, ago=timedelta(minutes=3))
        if number % 7 == 0:
            pulses.fold(now=clock.now())
    pulses.fold(now=clock.now())
    assert pulses.since(clock.now() - timedelta(hours=1)) == {DOMAIN: Day(870, 30, 30)}
    assert SendingPulse.objects.count() == 2
    assert pulses.fold(now=clock.now()) is False


def test_nothing_is_kept_that_nobody_looks_at():
    pulse(5, ago=timedelta(days=4))
    pulses.fold(now=clock.now())
    pulse(5)
    pulses.fold(now=clock.now())
    assert SendingPulse.objects.count() == 1


def test_reports_of_providers_brake_by_way_of_the_sweep(settings):
    settings.BRAKE_SAMPLE = 40
    version = making.template()
    messages = making.enqueue(*[making.request(who, version) for who in making.contacts(50)])
    now = clock.now()
    kinds = [(message, vocabulary.DELIVERED) for message in messages]
    kinds += [(message, vocabulary.COMPLAINED) for message in messages[:5]]
    feedback.fold(
        [
            Sourced(
                Report(
                    mid=str(message.public_id),
                    kind=kind,
                    occurred_at=now,
                    address="",
                    is_machine=False,
                    detail={},
                    dedup=f"{message.pk} {kind}".encode(),
                ),
                "sandbox",
                "webhook:sandbox",
            )
            for message, kind in kinds
        ],
        now=now,
    )
    tasks.sweep()
    row = SendingDomain.objects.get(domain=DOMAIN)
    assert row.braked_at is not None and (row.braked_why["hits"], row.braked_why["sample"]) == (5, 50)


def test_the_sweep_lets_a_warm_up_go_on():
    warming.start(DOMAIN, steps=[5, 10], now=clock.now() - timedelta(days=2))
    tasks.sweep()
    assert SendingDomain.objects.get(domain=DOMAIN).warm_up_held == "only 0 of 5 were sent"
