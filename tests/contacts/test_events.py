"""Recording: what is stored, what is queued, what is refused, and at what price."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from contacts import clock, events, signals
from contacts.events import Identifiers, OwnEvent
from contacts.models import Contact, ContactChange, ContactEvent, PendingEvent
from tests.contacts.conftest import await_events, event, record

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _somebody_waits(db):
    await_events("signed_up", "order_completed", "email_bounced")


@pytest.fixture
def heard():
    news = []

    def listen(sender, **kwargs):
        news.append(kwargs)

    signals.events_recorded.connect(listen, weak=False)
    yield news
    signals.events_recorded.disconnect(listen)


def test_an_event_is_stored_as_it_was_sent_and_waits_for_intake(now):
    at = now - timedelta(hours=1)
    recorded = record(
        event("ada", "order_completed", at, properties={"total": 12.5, "name": "Żółć"}, context={"ip": "::1"}), now=now
    )
    stored = ContactEvent.objects.get()
    assert recorded.event_ids == [stored.id]
    assert (stored.type, stored.occurred_at, stored.recorded_at) == ("order_completed", at, now)
    assert (stored.properties, stored.context) == ({"total": 12.5, "name": "Żółć"}, {"ip": "::1"})
    assert (stored.source, stored.processed) == ("api", True)
    assert stored.contact_id == stored.recorded_contact_id == Contact.objects.get(external_id="ada").id
    pending = PendingEvent.objects.get()
    assert (pending.event_id, pending.recorded_at, pending.lane) == (stored.id, now, "urgent")
    assert pending.shard == stored.contact_id % 16


def test_an_event_without_a_time_happened_now(now):
    record(event("ada"), now=now)
    assert ContactEvent.objects.get().occurred_at == now


def test_the_news_is_told_inside_the_transaction(now, heard):
    with transaction.atomic():
        events.record_batch([event("ada"), event("bob", context=denied())], source="api", now=now, lane="bulk")
        (news,) = heard
    assert (news["lane"], news["now"]) == ("bulk", now)
    assert [(e.type, e.processed, e.pending) for e in news["events"]] == [
        ("signed_up", True, True),
        ("signed_up", False, False),
    ]
    assert [e.event_id for e in news["events"]] == list(
        ContactEvent.objects.order_by("id").values_list("id", flat=True)
    )


def test_nothing_is_told_when_nothing_was_stored(now, heard):
    record(event("ada", key="1"), now=now)
    record(event("ada", key="1"), now=now)
    assert len(heard) == 1


def test_events_keep_the_order_of_their_batch(now):
    recorded = record(*[event("ada", f"step_{n}", key=str(n)) for n in range(50)], now=now)
    assert recorded.event_ids == sorted(recorded.event_ids)
    types = ContactEvent.objects.order_by("id").values_list("type", flat=True)
    assert list(types) == [f"step_{n}" for n in range(50)]


def test_it_insists_on_the_callers_transaction(now, transactional_db):
    with pytest.raises(AssertionError):
        events.record_batch([event("ada")], source="api", now=now)


# -- deduplication -----------------------------------------------------------------------------------------------------


def test_a_repeated_key_is_counted_and_not_stored(now):
    first = record(event("ada", key="a"), event("ada", key="b"), event("ada", key="a"), now=now)
    again = record(event("ada", key="b"), event("ada", key="c"), now=now)
    assert (first.accepted, first.duplicates) == (2, 1)
    assert (again.accepted, again.duplicates) == (1, 1)
    assert first.event_ids[2] is None
    assert again.event_ids[0] is None
    assert ContactEvent.objects.count() == PendingEvent.objects.count() == 3


def test_without_a_key_contact_type_and_minute_are_the_key(now):
    at = now - timedelta(hours=1)
    recorded = record(
        event("ada", "seen", at),
        event("ada", "seen", at + timedelta(seconds=59)),
        event("ada", "seen", at + timedelta(seconds=60)),
        event("ada", "heard", at),
        event("bob", "seen", at),
        now=now,
    )
    assert (recorded.accepted, recorded.duplicates) == (4, 1)
    assert recorded.event_ids[1] is None


def test_a_producer_cannot_use_up_the_key_of_an_event_of_ours(now):
    record(event("ada", key="tag_added:1"), now=now)
    ada = Contact.objects.get().id
    with transaction.atomic():
        events.record_own([OwnEvent(ada, "tag_added", {"tag": "vip"}, key="tag_added:1")], now=now)
    assert ContactEvent.objects.filter(type="tag_added", source="own").count() == 1


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_more_than_a_day_ahead_is_rejected(now):
    recorded = record(
        event("ada", at=now + timedelta(hours=24)), event("bob", at=now + timedelta(hours=24, seconds=1)), now=now
    )
    assert recorded.accepted == 1
    assert [(r.index, r.errors[0].code) for r in recorded.rejected] == [(1, "future")]
    assert not Contact.objects.filter(external_id="bob").exists()


def test_an_old_event_is_stored_at_its_age_and_triggers_nothing(now, settings):
    settings.EVENT_TRIGGER_MAX_AGE = "P30D"
    settings.TIME_SPEED = 1000.0
    record(event("ada", at=now - timedelta(days=31)), event("bob", at=now - timedelta(days=29)), now=now)
    assert ContactEvent.objects.filter(processed=True).count() == 2
    assert PendingEvent.objects.get().event_id == ContactEvent.objects.order_by("-occurred_at").first().id


def test_somebody_without_a_name_is_rejected(now):
    recorded = record(event(Identifiers()), event(Identifiers(email="no address")), event("ada"), now=now)
    assert recorded.accepted == 1
    assert [(r.index, r.errors[0].code) for r in recorded.rejected] == [(0, "missing"), (1, "email")]


def test_a_contact_that_does_not_exist_or_was_erased_is_rejected(now):
    erased = Contact.objects.create(erased_at=now)
    recorded = record(event(erased.id, own=True), event(erased.id + 1), now=now)
    assert [r.errors[0].code for r in recorded.rejected] == ["unknown_contact"] * 2


def test_an_event_for_a_merged_contact_belongs_to_the_one_that_lives(now):
    living = Contact.objects.create()
    between = Contact.objects.create(merged_into=living)
    old = Contact.objects.create(merged_into=between)
    record(event(old.id), now=now)
    stored = ContactEvent.objects.get()
    assert (stored.contact_id, stored.recorded_contact_id) == (living.id, old.id)
    assert PendingEvent.objects.get().shard == living.id % 16


def test_people_of_a_forbidden_region_are_not_stored(now, settings):
    settings.RESIDENCY_ALLOWED = ["eu"]
    Contact.objects.create(id=1, region="us")
    recorded = record(
        event(1),
        event(1, own=True, type="email_bounced"),
        event(1, type="moved", context={"region": "eu"}),
        event("ada", context={"region": "us"}),
        event("bob", context={"region": "eu"}),
        event("eve"),
        now=now,
    )
    assert [(r.index, r.errors[0].code) for r in recorded.rejected] == [(0, "residency"), (3, "residency")]
    assert recorded.accepted == 4


def test_nobody_is_created_for_an_event_that_names_a_forbidden_region(now, settings):
    settings.RESIDENCY_ALLOWED = ["eu"]
    record(event("ada", context={"region": "us"}), event("bob", context={"region": " EU "}), now=now)
    assert list(Contact.objects.values_list("external_id", flat=True)) == ["bob"]


@pytest.mark.parametrize(
    "poison",
    [
        {"text": "a\x00b"},
        {"text": "\ud800"},
        {"number": float("nan")},
        {"number": float("inf")},
    ],
    ids=["nul", "surrogate", "nan", "infinity"],
)
def test_what_postgresql_refuses_takes_no_neighbour_along(now, poison, heard):
    good = [event(f"c{n}", key=str(n)) for n in range(20)]
    batch = [*good[:7], event("bad", properties=poison), *good[7:]]
    recorded = record(*batch, now=now)
    assert recorded.accepted == 20
    assert [(r.index, r.errors[0].code) for r in recorded.rejected] == [(7, "refused")]
    assert ContactEvent.objects.count() == PendingEvent.objects.count() == 20
    assert not Contact.objects.filter(external_id="bad").exists()
    assert recorded.event_ids[7] is None
    assert all(recorded.event_ids[:7])
    assert all(recorded.event_ids[8:])
    assert [len(news["events"]) for news in heard] == [20]


# -- consent -----------------------------------------------------------------------------------------------------------


def denied() -> dict:
    return {"consent": {"categoryPreferences": {"tracking": False}}}


def test_what_a_contact_did_not_agree_to_is_stored_and_held(now):
    record(event("ada"), now=now, tracking_default="denied")
    assert ContactEvent.objects.get().processed is False
    assert not PendingEvent.objects.exists()


def test_the_record_decides_before_the_default_and_the_context_before_the_record(now):
    from contacts import consent

    ada, bob = Contact.objects.create(), Contact.objects.create()
    consent.record(
        [consent.Consent(ada.id, "tracking", "denied"), consent.Consent(bob.id, "tracking", "granted")],
        source="api",
        now=now,
    )
    said_yes = {"consent": {"categoryPreferences": {"Analytics": True}}}
    record(event(ada.id), event(bob.id), now=now, tracking_default="granted")
    record(event(ada.id, "b", context=said_yes), event(bob.id, "b", context=denied()), now=now)
    assert list(ContactEvent.objects.order_by("id").values_list("processed", flat=True)) == [False, True, True, False]


def test_later_consent_is_not_retroactive(now):
    from contacts import consent

    record(event("ada"), now=now, tracking_default="denied")
    consent.record([consent.Consent(Contact.objects.get().id, "tracking", "granted")], source="api", now=now)
    record(event("ada", "later"), now=now, tracking_default="denied")
    assert list(ContactEvent.objects.order_by("id").values_list("processed", flat=True)) == [False, True]


def test_what_we_say_ourselves_is_never_held(now):
    record(event("ada"), now=now, tracking_default="denied")
    with transaction.atomic():
        events.record_own([OwnEvent(Contact.objects.get().id, "email_bounced", {}, key="1")], now=now)
    stored = ContactEvent.objects.get(type="email_bounced")
    assert stored.processed
    assert PendingEvent.objects.get().event_id == stored.id


# -- the zone ----------------------------------------------------------------------------------------------------------


def test_a_valid_zone_fills_an_empty_one_and_replaces_none(now):
    with_zone = Contact.objects.create(timezone="Asia/Tokyo")
    record(
        event("ada", context={"timezone": "Europe/Berlin"}),
        event("bob", context={"timezone": "Middle-earth/Shire"}),
        event("eve", context={"timezone": "Europe/Paris", **denied()}),
        event("joe", context={"timezone": ["Europe/Paris"]}),
        event(with_zone.id, context={"timezone": "Europe/Berlin"}),
        now=now,
    )
    zones = dict(Contact.objects.exclude(external_id="").values_list("external_id", "timezone"))
    assert zones == {"ada": "Europe/Berlin", "bob": "", "eve": "", "joe": ""}
    with_zone.refresh_from_db()
    assert with_zone.timezone == "Asia/Tokyo"
    change = ContactChange.objects.get()
    assert (change.kind, change.name, change.old, change.new) == ("field", "timezone", "", "Europe/Berlin")


# -- price and races ---------------------------------------------------------------------------------------------------


@pytest.fixture
def alone():
    """Without the listeners above: they have prices of their own, and tests of their own."""
    saved = signals.events_recorded.receivers, signals.contacts_changed.receivers
    signals.events_recorded.receivers, signals.contacts_changed.receivers = [], []
    yield
    signals.events_recorded.receivers, signals.contacts_changed.receivers = saved


def statements(batch, now) -> int:
    with CaptureQueriesContext(connection) as queries:
        record(*batch, now=now)
    return len(queries)


def test_a_batch_costs_the_same_number_of_statements_whatever_its_size(now, alone):
    def batch(name: str, size: int):
        return [
            event(
                Identifiers(f"{name}{n}", f"{name}{n}@example.com", f"device-{name}{n}"),
                key=f"{name}{n}",
                context={"timezone": "Europe/Berlin"},
            )
            for n in range(size)
        ]

    prices = {
        "new people": (statements(batch("a", 10), now), statements(batch("b", 1000), now)),
        "the same again": (statements(batch("a", 10), now), statements(batch("b", 1000), now)),
    }
    assert prices["new people"][0] == prices["new people"][1] <= 16
    assert prices["the same again"][0] == prices["the same again"][1] <= 9
    assert ContactEvent.objects.count() == 1010


@pytest.mark.django_db(transaction=True)
def test_eight_threads_with_the_same_keys_store_each_event_once(alone):
    now = clock.now()
    barrier, recorded = threading.Barrier(8), []

    def produce(number: int) -> None:
        order = range(40) if number % 2 else range(39, -1, -1)
        batch = [event(f"c{n % 10}", key=f"event-{n}") for n in order]
        try:
            barrier.wait()
            recorded.append(record(*batch, now=now))
        finally:
            connection.close()

    threads = [threading.Thread(target=produce, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(r.accepted for r in recorded) == 40
    assert sum(r.duplicates for r in recorded) == 7 * 40
    assert ContactEvent.objects.count() == PendingEvent.objects.count() == 40
    assert Contact.objects.count() == 10
