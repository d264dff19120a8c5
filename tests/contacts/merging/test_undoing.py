"""A merge that was a mistake is taken back: whose is whose, as far as it can be told."""

from __future__ import annotations

import pytest
from django.db import transaction

from contacts import clock, upserting
from contacts.audiences import tags
from contacts.merging import NotUndone
from contacts.models import Contact, ContactChange, ContactEvent, ContactTag
from contacts.upserting import Person
from tests.contacts.conftest import event, record
from tests.contacts.merging.conftest import merge, person, undo, whose

pytestmark = pytest.mark.django_db


def profile(contact_id: int) -> dict[str, object]:
    return Contact.objects.filter(pk=contact_id).values(
        "external_id", "email", "phone", "timezone", "attributes", "frequency_cap", "created_at", "merged_into"
    )[0]


def two() -> tuple[int, int]:
    ada, other = person("ada"), person("ada2", "ada@example.com", anonymous_id="d", phone="030 123456")
    Contact.objects.filter(pk=ada).update(attributes={"plan": "free", "city": "Berlin"}, created_at="2026-02-01T00:00Z")
    Contact.objects.filter(pk=other).update(
        attributes={"plan": "pro"},
        timezone="Europe/Paris",
        frequency_cap={"per_day": 0},
        created_at="2026-03-01T00:00Z",
    )
    return ada, other


def test_everything_is_where_it_was(now):
    ada, other = two()
    record(event(other, "page_viewed", key="1"), event(ada, "page_viewed", key="2"), now=now)
    with transaction.atomic():
        tags.add_tags([tags.Tagging(ada, "vip", "api"), tags.Tagging(other, "vip", "api")], now=now)
    rows, profiles = whose(), (profile(ada), profile(other))
    merge_id = merge(ada, other)
    assert profile(ada)["attributes"] == {"plan": "pro", "city": "Berlin"}
    undo(merge_id)
    assert (profile(ada), profile(other)) == profiles
    assert {row: owner for row, owner in whose().items() if row in rows} == rows
    assert person(anonymous_id="d") == other


def test_what_was_changed_since_stays_and_the_rest_is_taken_back(now):
    ada, other = two()
    merge_id = merge(ada, other)
    said = Person(fields={"external_id": "ada", "timezone": "Asia/Tokyo"}, attributes={"plan": "gold"})
    with transaction.atomic():
        upserting.upsert([said], source="api", now=clock.now())
    undo(merge_id)
    assert profile(ada) == profile(ada) | {
        "timezone": "Asia/Tokyo", "attributes": {"plan": "gold", "city": "Berlin"}, "phone": "", "frequency_cap": None,
    }  # fmt: skip
    taken_back = ContactChange.objects.filter(contact_id=ada, source="merge_undone").values_list("name", "new")
    assert dict(taken_back) == {"phone": "", "email": "", "frequency_cap": None}


def whose_events() -> dict[str, int]:
    return dict(ContactEvent.objects.values_list("type", "contact_id"))


def test_events_go_back_to_whom_they_were_recorded_for(now):
    ada, other = person("ada"), person(anonymous_id="d")
    record(event(other, "before"), now=now)
    merge_id = merge(ada, other)
    record(event(other, "by_id"), event(ada, "hers"), now=now)
    undo(merge_id)
    assert whose_events() == {
        "before": other,
        "by_id": other,
        "hers": ada,
    }


def test_a_tag_that_was_removed_since_stays_removed(now):
    ada, other = person("ada"), person("ada2")
    with transaction.atomic():
        tags.add_tags([tags.Tagging(other, "vip", "api"), tags.Tagging(other, "red", "api")], now=now)
    merge_id = merge(ada, other)
    ContactTag.objects.filter(contact_id=ada, tag__name="red").delete()
    undo(merge_id)
    assert list(ContactTag.objects.values_list("contact_id", "tag__name")) == [(other, "vip")]


def refusal(merge_id: int) -> str:
    with pytest.raises(NotUndone) as refused:
        undo(merge_id)
    return refused.value.code


def test_a_merge_is_undone_once_and_may_be_made_again():
    ada, other = person("ada"), person("ada2")
    merge_id = merge(ada, other)
    undo(merge_id)
    assert refusal(merge_id) == "undone"
    again = merge(other, ada)
    assert refusal(merge_id) == "undone"
    undo(again)


def test_of_merges_in_a_row_the_last_is_undone_first(now):
    first, second, third = person("1"), person("2"), person("3")
    record(event(first, "x"), now=now)
    rows = whose()
    one, two = merge(second, first), merge(third, second)
    assert person("1") == third
    assert refusal(one) == "absorbed"
    undo(two)
    assert person("1") == second
    undo(one)
    assert whose() == rows


def test_merges_into_one_contact_are_undone_in_any_order(now):
    ada, second, third = person("1"), person("2"), person("3")
    record(event(second, "x"), event(third, "x"), now=now)
    rows = whose()
    one, two = merge(ada, second), merge(ada, third)
    undo(one)
    assert person("2") == second
    assert person("3") == ada
    undo(two)
    assert whose() == rows


def test_neither_the_unknown_nor_the_erased_are_parted(now):
    assert refusal(10**12) == "unknown"
    ada, other = person("ada"), person("ada2")
    merge_id = merge(ada, other)
    Contact.objects.filter(pk=ada).update(erased_at=now)
    assert refusal(merge_id) == "erased"
