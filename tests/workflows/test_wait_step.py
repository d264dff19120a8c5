"""The step that waits: which settings go together, and when its contacts go on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contacts import clock
from tests import journeys
from tests.journeys import definition, step
from workflows.definition.validation import validate
from workflows.models import JournalEntry


def waiting(**config: str) -> dict:
    return definition({"wait": step("wait", **config)})


def arrive(document: dict, *contact_ids: int) -> None:
    journeys.publish(document)
    journeys.track(list(contact_ids), "signed_up")
    journeys.run()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"mode": "until"}, ("config.until", "missing")),
        ({"mode": "until", "until": "tomorrow"}, ("config.until", "bad_value")),
        ({"mode": "until", "until": "2027-01-31T09:00:00"}, ("config.until", "bad_value")),
        ({"mode": "until", "until": "2027-01-31T09:00:00Z", "at": "09:00"}, ("config.at", "unknown_field")),
        ({"mode": "date_attribute"}, ("config.attribute", "missing")),
        ({"mode": "date_attribute", "attribute": "renewal", "offset": "3 days"}, ("config.offset", "bad_value")),
        ({"mode": "duration", "for": "P1D", "weekday": "monday"}, ("config.weekday", "unknown_field")),
        ({"mode": "local_time", "at": "09:00", "jitter": "-PT1M"}, ("config.jitter", "bad_value")),
    ],
)
def test_settings_that_do_not_go_together_are_named(config, problem):
    assert problem in [(found.field, found.code) for found in validate(waiting(**config))]


@pytest.mark.django_db(transaction=True)
def test_until_an_instant():
    target = (clock.now() + timedelta(days=3)).replace(microsecond=0)
    contact = journeys.contact().pk
    arrive(waiting(mode="until", until=target.isoformat()), contact)
    enrolment = journeys.enrolment(contact)
    assert (enrolment.state, enrolment.wake_at) == ("waiting", target)


@pytest.mark.django_db(transaction=True)
def test_an_instant_that_is_past_does_not_keep_anybody():
    contact = journeys.contact().pk
    arrive(waiting(mode="until", until="2020-01-01T00:00:00Z"), contact)
    assert journeys.enrolment(contact).state == "completed"


@pytest.mark.django_db(transaction=True)
def test_three_days_before_a_date_at_nine_on_the_contacts_clock_and_at_once_without_a_date():
    day = (clock.now() + timedelta(days=30)).date()
    tokyo = journeys.contact("t@example.com", timezone="Asia/Tokyo", attributes={"renewal": day.isoformat()}).pk
    nobody = journeys.contact("n@example.com").pk
    number = journeys.contact("m@example.com", attributes={"renewal": 12}).pk
    arrive(waiting(mode="date_attribute", attribute="renewal", offset="-P3D", at="09:00"), tokyo, nobody, number)
    expected = f"{day - timedelta(days=3)}T00:00:00+00:00"  # nine in Tokyo
    assert journeys.enrolment(tokyo).wake_at.isoformat() == expected
    for contact in (nobody, number):
        enrolment = journeys.enrolment(contact)
        assert enrolment.state == "completed"
        assert JournalEntry.objects.get(enrolment_id=enrolment.pk).detail == {"no_date": "renewal"}


@pytest.mark.django_db(transaction=True)
def test_jitter_keeps_people_from_waking_all_at_once():
    target = (clock.now() + timedelta(days=3)).replace(microsecond=0)
    contacts = journeys.contacts(50)
    arrive(waiting(mode="until", until=target.isoformat(), jitter="PT10M"), *contacts)
    wakes = {journeys.enrolment(contact).wake_at for contact in contacts}
    assert len(wakes) > 25
    assert target <= min(wakes) and max(wakes) <= target + timedelta(minutes=10)
