"""When it is quiet where somebody is, and what becomes of their messages then."""

import json
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from contacts import clock
from delivery import quiet_hours, sending
from delivery.models import OutboxEntry, SendLogEntry
from tests.delivery import making

BERLIN, NEW_YORK, TOKYO = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")
NIGHT = (time(21), time(8))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "hours", "tz", "until"),
    [
        ("2026-01-14T19:59", NIGHT, BERLIN, None),  # 20:59
        ("2026-01-14T20:00", NIGHT, BERLIN, "2026-01-15T07:00"),  # the start belongs to the night
        ("2026-01-14T23:30", NIGHT, BERLIN, "2026-01-15T07:00"),  # after midnight, of the same night
        ("2026-01-15T06:59", NIGHT, BERLIN, "2026-01-15T07:00"),
        ("2026-01-15T07:00", NIGHT, BERLIN, None),  # the end does not
        ("2026-01-14T12:30", (time(13), time(15)), BERLIN, "2026-01-14T14:00"),  # within a day
        ("2026-01-14T14:30", (time(13), time(15)), BERLIN, None),
        ("2026-01-14T12:30", NIGHT, TOKYO, "2026-01-14T23:00"),  # the same instant elsewhere
        ("2026-01-14T12:30", (time(0), time(0)), BERLIN, "2026-01-14T23:00"),  # all day: until midnight
        # 29 March 2026, Berlin: 02:00 becomes 03:00
        ("2026-03-28T22:00", NIGHT, BERLIN, "2026-03-29T06:00"),  # the night is an hour shorter
        ("2026-03-29T00:30", (time(22), time(2, 30)), BERLIN, "2026-03-29T01:00"),  # 02:30 never comes: 03:00 does
        ("2026-03-29T01:00", (time(22), time(2, 30)), BERLIN, None),
        ("2026-03-29T01:00", (time(2, 15), time(6)), BERLIN, "2026-03-29T04:00"),  # the start is skipped: from 03:00
        # 25 October 2026, Berlin: 03:00 becomes 02:00
        ("2026-10-24T22:00", NIGHT, BERLIN, "2026-10-25T07:00"),  # an hour longer
        ("2026-10-25T00:15", (time(22), time(2, 30)), BERLIN, "2026-10-25T00:30"),  # the first 02:30
        ("2026-10-25T01:15", (time(22), time(2, 30)), BERLIN, None),  # the second 02:15 comes after it
        ("2026-11-01T04:30", NIGHT, NEW_YORK, "2026-11-01T13:00"),
    ],
)
def test_the_end_of_the_quiet_hours(now, hours, tz, until):
    found = quiet_hours.ends_at(at(now), start=hours[0], end=hours[1], tz=tz)
    assert found == (at(until) if until else None)


@pytest.mark.parametrize(
    ("contacts_zone", "workflows_zone", "default", "zone"),
    [
        ("Asia/Tokyo", "Europe/Berlin", "America/New_York", "Asia/Tokyo"),
        ("", "Europe/Berlin", "America/New_York", "Europe/Berlin"),
        ("Mars/Olympus", "", "America/New_York", "America/New_York"),
        ("", "", "", "UTC"),
    ],
)
def test_whose_clock_it_is(contacts_zone, workflows_zone, default, zone):
    hours = f'{{"from": "00:00", "to": "00:00", "timezone": "{workflows_zone}"}}'
    found = quiet_hours.quiet_now(hours, timezone=contacts_zone, default=default, now=at("2026-01-14T12:30"))
    assert found is not None and (found.zone, found.policy) == (zone, "defer")


def test_without_quiet_hours_it_is_never_quiet():
    assert quiet_hours.quiet_now(None, timezone="", default="", now=at("2026-01-14T03:00")) is None


def around_now(policy: str, **changes) -> dict:
    """Quiet hours that are now, by UTC."""
    now = clock.now()
    start, end = now - timedelta(hours=2), now + timedelta(hours=2)
    return {"from": f"{start:%H:%M}", "to": f"{end:%H:%M}", "policy": policy, "timezone": "UTC"} | changes


@pytest.mark.django_db
def test_a_message_of_the_quiet_hours_is_put_off_to_their_end_and_says_so():
    message = making.message(quiet_hours=around_now("defer"))
    making.deliver()
    row = OutboxEntry.objects.get()
    assert (row.state, row.attempt) == ("queued", 0)
    assert timedelta(minutes=118) < row.due_at - clock.now() <= timedelta(hours=2)
    entry = SendLogEntry.objects.get(message=message)
    assert (entry.kind, entry.reason, entry.evidence["zone"]) == ("deferred", "quiet_hours", "UTC")
    assert making.state(message) == "queued:quiet_hours"
    assert making.events(message.contact_id) == []


@pytest.mark.django_db
def test_it_goes_out_when_the_quiet_hours_are_over():
    message = making.message(quiet_hours=around_now("defer"))
    making.deliver()
    over = around_now("defer") | {"to": f"{clock.now() - timedelta(minutes=1):%H:%M}"}
    making.change("UPDATE messages SET quiet_hours = %s", [json.dumps(over)])
    OutboxEntry.objects.update(due_at=clock.now())
    making.deliver()
    assert making.log(message) == ["deferred", "claimed", "accepted"]


@pytest.mark.django_db
def test_where_it_is_to_be_skipped_it_ends_there_and_an_event_tells():
    message = making.message(quiet_hours=around_now("skip"))
    making.deliver()
    assert making.state(message) == "suppressed:quiet_hours"
    assert not OutboxEntry.objects.exists()
    ((name, properties),) = making.events(message.contact_id)
    assert (name, properties["reason"]) == ("send_suppressed", "quiet_hours")


@pytest.mark.django_db
def test_transactional_mail_knows_no_quiet_hours():
    message = making.message(quiet_hours=around_now("defer"), message_class="transactional")
    making.deliver()
    assert making.state(message) == "accepted"


@pytest.mark.django_db
def test_the_clock_is_the_contacts():
    now = clock.now()
    tokyo = now.astimezone(TOKYO)
    hours = {"from": f"{tokyo - timedelta(hours=1):%H:%M}", "to": f"{tokyo + timedelta(hours=1):%H:%M}",
             "policy": "defer", "timezone": "UTC"}  # fmt: skip
    there = making.message(making.contact("t@example.com", timezone="Asia/Tokyo").pk, quiet_hours=hours)
    here = making.message(making.contact("u@example.com").pk, quiet_hours=hours)
    making.deliver()
    assert making.states([there, here]) == ["queued:quiet_hours", "accepted"]


@pytest.mark.django_db
def test_a_message_that_is_put_off_takes_nobodys_place_under_the_cap():
    who = making.contact(frequency_cap={"per_day": 1, "per_week": 1})
    quiet = making.message(who.pk, quiet_hours=around_now("defer"), priority=9)
    other = making.message(who.pk, priority=1)
    making.deliver()
    assert making.states([quiet, other]) == ["queued:quiet_hours", "accepted"]


@pytest.mark.django_db
def test_whoever_unsubscribed_is_not_put_off_but_refused():
    message = making.message(making.contact(email="").pk, quiet_hours=around_now("defer"))
    making.deliver()
    assert making.state(message) == "suppressed:no_address"


@pytest.mark.django_db
def test_an_installation_that_runs_faster_ends_its_nights_sooner(settings):
    settings.TIME_SPEED = 60.0
    making.message(quiet_hours=around_now("defer"))
    sending.deliver_batch("urgent")
    assert OutboxEntry.objects.get().due_at - clock.now() <= timedelta(minutes=2)
