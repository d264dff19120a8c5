"""Who competes for the frequency cap's places, and who was displaced by whom: read from what the gate wrote."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from delivery import gate, ledger, outbox, pressure
from delivery.ledger import Entry
from delivery.models import Message, SendLogEntry
from delivery.pressure import Asked, Displacement
from tests.delivery import making

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


def hours(count: float) -> datetime:
    return MONDAY + timedelta(hours=count)


class Gate:
    """The gate on days of our choosing: messages come to it and stay claimed."""

    def __init__(self) -> None:
        self.version = making.template()

    def ask(self, contact_id: int, workflow_id: int | None, at: datetime, **changes) -> int:
        request = making.request(contact_id, self.version, workflow_id=workflow_id, **changes)
        with transaction.atomic():
            outbox.enqueue([request], now=at)
        return Message.objects.get(idempotency_key=request.idempotency_key).pk

    def open(self, at: datetime, lane: str = "urgent", channel: str = "email") -> None:
        with transaction.atomic():
            gate.claim(lane, channel=channel, limit=1000, provider="sandbox", now=at)

    def ask_alone(self, contact_id: int, workflow_id: int | None, at: datetime, **changes) -> int:
        asked = self.ask(contact_id, workflow_id, at, **changes)
        self.open(at, changes.get("lane", "urgent"), changes.get("channel", "email"))
        return asked


@pytest.fixture
def doors() -> Gate:
    return Gate()


def give_back(message_id: int, at: datetime, kind: str = "rejected") -> None:
    with transaction.atomic():
        ledger.close([Entry(message_id, kind, attempt=1)], now=at)


def week(until: float = 24 * 6, channel: str = "") -> pressure.Span:
    return pressure.span(days=7, channel=channel, now=hours(until))


def test_a_message_is_displaced_by_the_one_that_holds_the_places_of_its_day(doors):
    who = making.contact().pk
    holder = doors.ask_alone(who, 1, hours(0))
    skipped = doors.ask_alone(who, 2, hours(20))
    assert pressure.displacements(week()) == [Displacement(2, 1, 1)]
    (found,) = pressure.displaced(week(), workflow_id=2, by=1)
    assert (found.message_id, found.contact_id, found.at) == (skipped, who, hours(20))
    assert found.holders == [(holder, 1)]


def test_a_full_week_is_held_by_everything_in_it_and_a_full_day_by_that_day_alone(doors):
    who = making.contact(frequency_cap={"per_day": 1, "per_week": 9}).pk
    doors.ask_alone(who, 1, hours(0))
    doors.ask_alone(who, 2, hours(30))
    doors.ask_alone(who, 3, hours(40))
    assert pressure.displacements(week()) == [Displacement(3, 2, 1)]
    other = making.contact("other@example.com", frequency_cap={"per_day": None, "per_week": 2}).pk
    doors.ask_alone(other, 4, hours(0))
    doors.ask_alone(other, 5, hours(30))
    doors.ask_alone(other, 6, hours(40))
    assert [d for d in pressure.displacements(week()) if d.workflow_id == 6] == [
        Displacement(6, 4, 1),
        Displacement(6, 5, 1),
    ]


def test_one_without_limit_by_day_is_displaced_by_its_week_and_one_without_limit_by_week_by_its_day(doors):
    daily = making.contact(frequency_cap={"per_day": 1, "per_week": None}).pk
    doors.ask_alone(daily, 1, hours(0))
    doors.ask_alone(daily, 2, hours(30))
    doors.ask_alone(daily, 3, hours(40))
    assert pressure.displacements(week()) == [Displacement(3, 2, 1)]


def test_a_better_message_of_the_other_lane_displaces_before_it_is_claimed(doors):
    who = making.contact().pk
    better = doors.ask(who, 1, hours(0), priority=9, lane="bulk")
    doors.ask_alone(who, 2, hours(0), priority=1)
    doors.open(hours(1), "bulk")
    (found,) = pressure.displaced(week(), workflow_id=2, by=1)
    assert found.holders == [(better, 1)]


def test_who_stands_in_line_behind_the_places_displaces_nobody(doors):
    who = making.contact().pk
    for workflow_id, priority in ((1, 9), (2, 8), (3, 7)):
        doors.ask(who, workflow_id, hours(0), priority=priority)
    doors.open(hours(0))
    assert pressure.displacements(week()) == [Displacement(2, 1, 1), Displacement(3, 1, 1)]


def test_a_place_given_back_before_displaces_nobody_and_one_given_back_later_did(doors):
    who = making.contact().pk
    given = doors.ask_alone(who, 1, hours(0))
    give_back(given, hours(1))
    holder = doors.ask_alone(who, 2, hours(2))
    doors.ask_alone(who, 3, hours(3))
    give_back(holder, hours(4))
    assert pressure.displacements(week()) == [Displacement(3, 2, 1)]


def test_a_cap_without_places_is_nobodys_fault(doors):
    who = making.contact(frequency_cap={"per_day": 0, "per_week": 0}).pk
    doors.ask_alone(who, 1, hours(0))
    assert pressure.displacements(week()) == [Displacement(1, None, 1)]
    assert [each.holders for each in pressure.displaced(week(), workflow_id=1, by=None)] == [[]]


def test_messages_of_no_journey_displace_and_are_displaced_as_journey_0(doors):
    who = making.contact().pk
    doors.ask_alone(who, None, hours(0))
    doors.ask_alone(who, None, hours(1))
    doors.ask_alone(who, 7, hours(2))
    assert pressure.displacements(week()) == [Displacement(0, 0, 1), Displacement(7, 0, 1)]


def test_every_channel_has_places_of_its_own(doors, settings):
    settings.SMS_CAP_PER_DAY = 1
    who = making.contact(phone="+4930123456").pk
    doors.ask_alone(who, 1, hours(0), channel="sms")
    doors.ask_alone(who, 2, hours(1))
    doors.ask_alone(who, 3, hours(2))
    assert pressure.displacements(week()) == [Displacement(3, 2, 1)]
    assert pressure.displacements(week(channel="sms")) == []


def test_whoever_asked_is_counted_once_by_what_became_of_it(doors):
    """Sent, refused by the provider, skipped, put off, and passed without asking."""
    one, two, three = making.contact().pk, making.contact("b@example.com").pk, making.contact("c@example.com").pk
    doors.ask_alone(one, 1, hours(0), topic="news")
    doors.ask_alone(one, 1, hours(1), topic="news")
    doors.ask_alone(one, 1, hours(2), topic="news", message_class="transactional")
    give_back(doors.ask_alone(two, 2, hours(3)), hours(4))
    doors.ask_alone(three, 2, hours(0))
    late = doors.ask_alone(three, 2, hours(23.995))
    found = pressure.competition(week(48))
    assert found.topics == [
        (("email", "news"), Asked(sent=1, skipped=1, exempt=1)),
        (("email", ""), Asked(sent=1, given_back=1, open=1, put_off=1)),
    ]
    assert dict(found.journeys) == {
        1: Asked(sent=1, skipped=1, exempt=1),
        2: Asked(sent=1, given_back=1, open=1, put_off=1),
    }
    assert found.total.asked == 5
    doors.open(hours(24.01))
    assert SendLogEntry.objects.filter(message_id=late, kind="claimed").exists()
    assert pressure.competition(week(48)).total == Asked(sent=3, given_back=1, skipped=1, put_off=1, exempt=1)


def test_a_message_that_is_tried_again_asked_once(doors):
    who = making.contact().pk
    tried = doors.ask_alone(who, 1, hours(0))
    with transaction.atomic():
        ledger.requeue([Entry(tried, "retry", attempt=1)], due_at=[hours(1)], attempts=[1], now=hours(0.5))
    assert pressure.competition(week()).total == Asked(given_back=1)
    doors.open(hours(1))
    assert pressure.competition(week()).total == Asked(sent=1)


def test_what_lies_outside_the_span_is_not_read(doors):
    who = making.contact().pk
    doors.ask_alone(who, 1, hours(0))
    doors.ask_alone(who, 2, hours(1))
    later = pressure.span(days=1, now=hours(24 * 5))
    assert (pressure.competition(later).total, pressure.displacements(later)) == (Asked(), [])
    before = pressure.span(days=7, now=hours(0.5))
    assert pressure.competition(before).total == Asked(sent=1)


def test_a_span_of_too_many_decisions_begins_later_and_says_so(doors, monkeypatch):
    monkeypatch.setattr(pressure, "MOST_READ", 3)
    for n in range(5):
        doors.ask_alone(making.contact(f"p{n}@example.com").pk, 1, hours(n))
    found = week()
    assert (found.is_cut, found.since) == (True, hours(1))
    assert pressure.competition(found).total == Asked(sent=3)
    assert not pressure.span(days=7, now=hours(2.5)).is_cut


def test_the_most_pressed_contacts_come_first_page_by_page(doors):
    people = [making.contact(f"p{n}@example.com").pk for n in range(3)]
    for who, asks in zip(people, (1, 3, 2), strict=True):
        for n in range(asks):
            doors.ask_alone(who, n + 1, hours(n))
    found = pressure.pressed(week())
    assert [(each.contact_id, each.skipped, each.sent, each.last_workflow_id) for each in found] == [
        (people[1], 2, 1, 3),
        (people[2], 1, 1, 2),
    ]
    assert [each.contact_id for each in pressure.pressed(week(), offset=1, limit=1)] == [people[2]]


def test_the_spread_counts_everybody_by_the_messages_of_the_past_week(doors):
    people = [making.contact(f"p{n}@example.com").pk for n in range(4)]
    for who, asks in zip(people, (0, 1, 2, 2), strict=True):
        for n in range(asks):
            doors.ask_alone(who, 1, hours(n * 30))
    found = pressure.spread(now=hours(24 * 6))
    assert (found.contacts, found.is_sample, found.total) == ([(0, 1), (1, 1), (2, 2)], False, 4)
    assert pressure.spread(now=hours(24 * 7 + 1)).contacts == [(0, 2), (1, 2)]


def test_the_spread_of_many_is_that_of_a_sample(doors, monkeypatch):
    monkeypatch.setattr(pressure, "SAMPLE", 10)
    making.contacts(100)
    found = pressure.spread(now=hours(0))
    assert found.is_sample
    assert 8 <= found.total <= 13
