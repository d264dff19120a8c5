"""What is known of a contact decides about its events, however it is named and whoever came first."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection, transaction

from contacts import clock, consent, identity
from contacts import known as knowledge
from contacts.consent import Consent
from contacts.events import Identifiers
from contacts.known import Known
from contacts.models import Contact, ContactEvent
from tests.contacts.conftest import event, record

PATIENCE_SECONDS = 20.0


def say(name: str, *agreed: tuple[str, str]) -> int:
    """A contact with this external id, who said these (category, state)."""
    now = clock.now()
    with transaction.atomic():
        (contact_id,) = identity.resolve([Identifiers(name)], source="api", now=now).contact_ids
        assert contact_id is not None
        consent.record([Consent(contact_id, *each) for each in agreed], source="api", now=now)
    return contact_id


@pytest.mark.django_db
def test_what_was_said_holds_by_name_and_by_id(now):
    people = {
        "yes": [("tracking", "denied"), ("tracking", "granted")],
        "no": [("tracking", "granted"), ("tracking", "denied")],
        "restricted": [("tracking", "granted"), ("data_processing", "denied")],
        "silent": [],
    }
    ids = {name: say(name, *agreed) for name, agreed in people.items()}
    record(*map(event, ids), *(event(contact_id, "again") for contact_id in ids.values()), now=now)
    used = ContactEvent.objects.order_by("id").values_list("processed", flat=True)
    assert list(used) == [True, False, False, True] * 2


@pytest.mark.django_db
def test_the_living_contact_answers_for_those_that_were_merged_into_it(now):
    living, old = say("living", ("tracking", "denied")), say("old")
    Contact.objects.filter(pk=living).update(region="eu", timezone="Europe/Berlin", email="l@example.com")
    Contact.objects.filter(pk=old).update(merged_into=living)
    found = knowledge.read([old, living, living + old])
    assert found == dict.fromkeys(
        [old, living],
        Known(living, frozenset({"external_id", "email"}), has_zone=True, region="eu", tracking="denied"),
    )
    record(event("old"), now=now)
    stored = ContactEvent.objects.get()
    assert (stored.contact_id, stored.processed) == (living, False)


@pytest.mark.django_db
def test_somebody_of_another_region_is_refused_by_name_too(now, settings):
    settings.RESIDENCY_ALLOWED = ["eu"]
    Contact.objects.filter(pk=say("ada")).update(region="us")
    recorded = record(event("ada"), event("bob"), now=now)
    assert [(each.index, each.errors[0].code) for each in recorded.rejected] == [(0, "residency")]


@pytest.mark.django_db(transaction=True)
def test_what_somebody_says_who_is_only_just_created_elsewhere_is_heard():
    """The batch looked for them before they were there, waited, and must not think that it knows them."""
    failures: list[BaseException] = []

    def produce() -> None:
        try:
            record(event("ada"), event("known"), now=clock.now())
        except BaseException as failure:
            failures.append(failure)
        finally:
            connection.close()

    known = say("known")
    with transaction.atomic():
        say("ada", ("tracking", "denied"))
        consent.record([Consent(known, "tracking", "denied")], source="api", now=clock.now())
        producer = threading.Thread(target=produce)
        producer.start()
        until_somebody_waits()
    producer.join(PATIENCE_SECONDS)
    assert failures == [] and not producer.is_alive()
    assert list(ContactEvent.objects.values_list("processed", flat=True)) == [False, False]


def until_somebody_waits() -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
                " WHERE NOT l.granted AND a.datname = current_database())"
            )
            if cursor.fetchone()[0]:
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits")
