"""Two profiles become one person: names, history, attributes, consent, caps, tags."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from contacts import changes, clock, consent, merging
from contacts.audiences import tags
from contacts.changes import Change
from contacts.consent import Consent
from contacts.merging import Unmergeable
from contacts.models import (
    ConsentRecord,
    Contact,
    ContactChange,
    ContactEvent,
    ContactIdentity,
    ContactMerge,
    ContactTag,
)
from tests.contacts.conftest import event, record
from tests.contacts.merging.conftest import merge, person, whose

pytestmark = pytest.mark.django_db


def grant(contact_id: int, state: str, topic: str = "", category: str = "marketing") -> None:
    with transaction.atomic():
        consent.record([Consent(contact_id, category, state, topic)], source="api", now=clock.now())


def tag(contact_id: int, *names: str) -> None:
    with transaction.atomic():
        tags.add_tags([tags.Tagging(contact_id, name, "api") for name in names], now=clock.now())


def tags_of(contact_id: int) -> set[str]:
    return set(ContactTag.objects.filter(contact_id=contact_id).values_list("tag__name", flat=True))


def test_names_and_history_are_the_survivors_from_then_on(now):
    ada, other = person("ada", "ada@example.com"), person(email="a@work.example", anonymous_id="d")
    record(event(other, "page_viewed", key="1"), event(ada, "signed_up", key="2"), now=now)
    merge(ada, other)
    assert Contact.objects.get(pk=other).merged_into_id == ada
    assert person(email="a@work.example") == person(anonymous_id="d") == ada
    assert set(whose().values()) == {ada}
    moved = ContactEvent.objects.get(type="page_viewed")
    assert (moved.contact_id, moved.recorded_contact_id) == (ada, other)


def test_an_event_for_the_absorbed_contact_is_recorded_for_the_survivor(now):
    ada, other = person("ada"), person(anonymous_id="d")
    merge(ada, other)
    record(event(other, "page_viewed"), now=now)
    stored = ContactEvent.objects.get()
    assert (stored.contact_id, stored.recorded_contact_id) == (ada, other)


def test_fields_stay_and_empty_ones_are_filled():
    ada, other = person("ada", "ada@example.com"), person(email="a@work.example", phone="+49 30 1234567")
    Contact.objects.filter(pk=ada).update(locale="de")
    Contact.objects.filter(pk=other).update(locale="en", timezone="Europe/Berlin")
    merge(ada, other)
    contact = Contact.objects.get(pk=ada)
    assert (contact.email, contact.phone, contact.locale, contact.timezone) == (
        "ada@example.com", "+49301234567", "de", "Europe/Berlin",
    )  # fmt: skip
    told = ContactChange.objects.filter(contact_id=ada, source="merge").values_list("kind", "name", "new")
    assert set(told) == {("field", "phone", "+49301234567"), ("field", "timezone", "Europe/Berlin")}


def test_of_each_attribute_the_last_word_holds_and_a_removal_is_one(now):
    ada, other = person("ada"), person("ada2")
    Contact.objects.filter(pk=ada).update(attributes={"plan": "pro", "city": "Berlin", "old": 1})
    Contact.objects.filter(pk=other).update(attributes={"plan": "free", "city": "Paris", "new": 2})
    early, late = now + timedelta(days=365 * 2), now + timedelta(days=365 * 3)
    with transaction.atomic():
        changes.append([Change(ada, "attribute", "plan", None, "pro")], source="api", now=late)
        changes.append([Change(other, "attribute", "plan", None, "free")], source="api", now=early)
        changes.append([Change(other, "attribute", "city", None, "Paris")], source="api", now=late)
        changes.append([Change(other, "attribute", "old", 5, None)], source="api", now=late)
    merge(ada, other)
    assert Contact.objects.get(pk=ada).attributes == {"plan": "pro", "city": "Paris", "new": 2}


def test_what_a_merge_wrote_is_as_old_as_it_was_before(now):
    ada, other, third = person("ada"), person("ada2"), person("ada3")
    with transaction.atomic():
        changes.append([Change(other, "attribute", "plan", None, "free")], source="api", now=now)
        changes.append([Change(third, "attribute", "plan", None, "pro")], source="api", now=now + timedelta(days=1))
    Contact.objects.filter(pk=other).update(attributes={"plan": "free"})
    Contact.objects.filter(pk=third).update(attributes={"plan": "pro"})
    merge(ada, other)
    merge(ada, third)
    assert Contact.objects.get(pk=ada).attributes == {"plan": "pro"}


def test_the_strictest_consent_of_both_holds():
    ada, other = person("ada"), person("ada2")
    grant(other, "denied")
    grant(ada, "granted")  # said later, and still not enough
    grant(ada, "granted", "news")
    grant(other, "granted", category="tracking")
    merge(ada, other)
    denied = consent.marketing_denied([ada, ada], ["", "news"], ["email", "email"])
    assert denied == {(ada, "", "email"), (ada, "news", "email")}
    assert consent.tracking_state([ada]) == {ada: "granted"}
    (said,) = ConsentRecord.objects.filter(source="merge")
    assert (said.topic, said.state) == ("", "denied")  # later than what was said of news, so it is enough


def test_consent_that_only_one_of_them_gave_needs_no_word_of_the_merge():
    ada, other = person("ada"), person("ada2")
    grant(other, "denied")
    grant(other, "granted", "news")
    merge(ada, other)
    denied = consent.marketing_denied([ada, ada], ["", "news"], ["email", "email"])
    assert denied == {(ada, "", "email")}
    assert not ConsentRecord.objects.filter(source="merge").exists()


def test_the_strictest_cap_holds(settings):
    settings.FREQUENCY_CAP_PER_DAY, settings.FREQUENCY_CAP_PER_WEEK = 1, 3
    ada, other = person("ada"), person("ada2")
    Contact.objects.filter(pk=ada).update(frequency_cap={"per_day": None, "per_week": 2})
    merge(ada, other)
    assert Contact.objects.get(pk=ada).frequency_cap == {"per_week": 2}


def test_tags_are_united(now):
    ada, other = person("ada"), person("ada2")
    tag(ada, "vip", "red")
    tag(other, "vip", "blue")
    merge(ada, other)
    assert tags_of(ada) == {"vip", "red", "blue"}
    assert ContactEvent.objects.filter(type="tag_added", contact_id=ada).count() == 4  # the facts; no new one


def test_a_tag_that_is_removed_after_the_merge_does_not_come_back():
    ada, other = person("ada"), person("ada2")
    tag(ada, "vip")
    tag(other, "vip")
    merge(ada, other)
    ContactTag.objects.filter(contact_id=ada).delete()
    with transaction.atomic():
        assert merging.rehome([other], now=clock.now()) == 0
    assert tags_of(ada) == set()


# -- who survives ------------------------------------------------------------------------------------------------------


def unite(*contact_ids: int) -> list[int]:
    with transaction.atomic():
        merges = merging.unite(contact_ids, source="api", actor="test", now=clock.now())
    return [each.survivor_id for each in merges]


def test_the_oldest_known_contact_survives_in_whatever_order_they_are_given(now):
    device, ada, young = person(anonymous_id="d"), person("ada"), person("ada2")
    for place, contact_id in enumerate((device, ada, young)):
        Contact.objects.filter(pk=contact_id).update(created_at=now + timedelta(days=place))
    assert unite(young, device, ada) == [ada, ada]
    assert Contact.objects.get(pk=ada).created_at == now
    assert unite(device, young) == []  # one already


def test_nobody_is_merged_with_themselves_with_nobody_or_with_the_erased(now):
    ada, gone, merged = person("ada"), person("gone"), person("merged")
    Contact.objects.filter(pk=gone).update(erased_at=now)
    merge(ada, merged)
    for contacts, code in (
        ((ada, ada), "same"), ((ada, 10**12), "unknown"), ((gone, ada), "erased"), ((ada, merged), "absorbed"),
    ):  # fmt: skip
        with pytest.raises(Unmergeable) as refused:
            merge(*contacts)
        assert refused.value.code == code
    with pytest.raises(Unmergeable):
        unite(ada, gone)
    with pytest.raises(Unmergeable):
        unite(ada, ada)


# -- devices -----------------------------------------------------------------------------------------------------------


def absorb(*pairs: tuple[int, int]) -> int:
    with transaction.atomic():
        return merging.absorb_anonymous(pairs, source="segment", now=clock.now())


def test_devices_are_absorbed_and_nobody_who_is_known_is(now):
    ada, bob = person("ada"), person(email="bob@example.com")
    family = person(phone="030123456")
    phone, laptop = person(anonymous_id="phone"), person(anonymous_id="laptop")
    assert absorb((ada, phone), (ada, laptop), (ada, bob), (ada, family), (ada, ada), (ada, 10**12)) == 2
    assert person(anonymous_id="phone") == person(anonymous_id="laptop") == ada
    assert person(email="bob@example.com") == bob
    assert person(phone="030 123456") == family
    assert absorb((ada, phone), (bob, laptop)) == 0  # they are Ada now


def test_a_chain_of_devices_ends_at_the_known_contact():
    first, second, ada = person(anonymous_id="1"), person(anonymous_id="2"), person("ada")
    assert absorb((second, first), (ada, second)) == 2
    assert person(anonymous_id="1") == person(anonymous_id="2") == ada


def test_a_batch_of_merges_costs_the_same_whatever_its_size_and_their_history(now):
    def price(size: int, events_each: int) -> int:
        pairs = [(person(f"a{size}-{n}"), person(anonymous_id=f"d{size}-{n}")) for n in range(size)]
        for _, device in pairs:
            record(*(event(device, key=f"{device}-{n}") for n in range(events_each)), now=now)
        with CaptureQueriesContext(connection) as queries:
            assert absorb(*pairs) == size
        return len(queries)

    assert price(1, 1) == price(20, 5)
    assert ContactMerge.objects.count() == 21


def test_identity_rows_and_the_ledger_name_each_other(now):
    ada, other = person("ada"), person(anonymous_id="d")
    record(event(other, "page_viewed"), now=now)
    expected = {
        "contact_identities": [ContactIdentity.objects.get(value="d").pk],
        "contact_events": [ContactEvent.objects.get().pk],
    }
    merge_id = merge(ada, other)
    with connection.cursor() as cursor:
        cursor.execute('SELECT "table", row_ids FROM contact_merge_rows WHERE merge_id = %s', [merge_id])
        assert dict(cursor.fetchall()) == expected
