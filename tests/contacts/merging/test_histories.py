"""Any order of merging, undoing and events: every event is with one living contact, and when everything is undone
every row is where it was."""

from __future__ import annotations

import itertools

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contacts import clock, merging
from contacts.audiences import tags
from contacts.events import Identifiers
from contacts.merging import NotUndone
from contacts.models import Contact, ContactEvent, ContactMerge
from tests.contacts.conftest import event, record
from tests.contacts.merging.conftest import person, undo, whose

PEOPLE = 4
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("merge"), st.integers(0, PEOPLE - 1), st.integers(0, PEOPLE - 1)),
        st.tuples(st.just("undo"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("by id"), st.integers(0, PEOPLE - 1), st.just(0)),
        st.tuples(st.just("by name"), st.integers(0, PEOPLE - 1), st.just(0)),
    ),
    max_size=12,
)
_numbers = itertools.count()


class Person:
    """A contact with a name, a device, an event and a tag that it shares with the others."""

    def __init__(self) -> None:
        self.number = next(_numbers)
        self.contact_id = person(f"p{self.number}", anonymous_id=f"d{self.number}")
        self.track(self.contact_id)
        with transaction.atomic():
            tags.add_tags(
                [tags.Tagging(self.contact_id, name, "api") for name in ("all", f"t{self.number}")], now=clock.now()
            )

    def track(self, who: int | Identifiers) -> None:
        record(event(who, "seen", key=f"{next(_numbers)}"), now=clock.now())


def living(contact_id: int) -> int:
    contact = Contact.objects.get(pk=contact_id)
    return contact.pk if contact.merged_into_id is None else living(contact.merged_into_id)


def owners(people: list[Person]) -> dict[int, int]:
    return dict(
        ContactEvent.objects.filter(contact_id__in=[p.contact_id for p in people]).values_list("id", "contact_id")
    )


@pytest.mark.django_db
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=DEEDS)
@example(deeds=[("merge", 1, 0), ("merge", 2, 1), ("by id", 0, 0)])  # recorded for the first of three in a row
def test_every_event_is_with_one_living_contact_and_undoing_all_gives_everybody_their_own(deeds):
    people = [Person() for _ in range(PEOPLE)]
    ids = {each.contact_id for each in people}
    before = {row: owner for row, owner in whose().items() if owner in ids}
    events = PEOPLE
    for deed, one, other in deeds:
        merges = ContactMerge.objects.filter(survivor_id__in=ids).order_by("id")
        if deed == "merge":
            survivor, absorbed = living(people[one].contact_id), living(people[other].contact_id)
            if survivor != absorbed:
                with transaction.atomic():
                    merging.merge(survivor_id=survivor, absorbed_id=absorbed, source="api", actor="", now=clock.now())
        elif deed == "undo" and one < len(merges):
            _undo(merges[one].pk)
        elif deed in ("by id", "by name"):
            events += 1
            people[one].track(
                people[one].contact_id if deed == "by id" else Identifiers(anonymous_id=f"d{people[one].number}")
            )
        found = owners(people)
        assert len(found) == events + 2 * PEOPLE  # and `tag_added` of two tags each
        assert {living(owner) for owner in found.values()} == set(found.values())
    while standing := list(ContactMerge.objects.filter(survivor_id__in=ids, undone_at=None).order_by("-id")):
        assert any([_undo(each.pk) for each in standing])
    after = whose()
    assert {row: after[row] for row in before} == before
    told = ContactEvent.objects.filter(contact_id__in=ids).values_list("contact_id", "recorded_contact_id")
    assert all(contact_id == recorded for contact_id, recorded in told)


def _undo(merge_id: int) -> bool:
    """Whether it was; if not, it was before, or another one stands on it."""
    try:
        undo(merge_id)
    except NotUndone as error:
        assert error.code in ("undone", "absorbed")
        return False
    return True
