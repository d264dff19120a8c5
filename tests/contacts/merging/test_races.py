"""Everybody at once: one person, one contact, one history."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest

from contacts import events, identity, merging, transactions
from contacts.events import NewEvent
from contacts.identifiers import Identifiers
from contacts.merging import NotUndone, Unmergeable
from contacts.models import Contact, ContactEvent, ContactIdentity, ContactMerge
from tests.contacts.conftest import Api, make_key, together
from tests.contacts.merging.conftest import person

pytestmark = pytest.mark.django_db(transaction=True)


def living(contact_id: int) -> int:
    contact = Contact.objects.get(pk=contact_id)
    return contact.pk if contact.merged_into_id is None else living(contact.merged_into_id)


def once(work: Callable[[datetime], object]) -> str:
    """Run it as an entrance does; what it refused, or nothing."""
    try:
        transactions.run(work)
    except (Unmergeable, NotUndone) as error:
        return error.code
    return ""


def unite(*contact_ids: int) -> str:
    return once(lambda now: merging.unite(contact_ids, source="api", actor="", now=now))


def merge(survivor: int, absorbed: int) -> str:
    return once(lambda now: merging.merge(survivor_id=survivor, absorbed_id=absorbed, source="api", actor="", now=now))


def track(who: Identifiers | int, count: int, name: str) -> None:
    for n in range(count):
        event = NewEvent("seen", None, who, {}, {}, key=f"{name}-{n}")
        transactions.run(lambda now, event=event: events.record_batch([event], source="api", now=now))


def sweep() -> None:
    """As the errand does it."""
    transactions.run(lambda now: merging.rehome_recent(since=now - timedelta(hours=1), now=now))


def test_overlapping_names_of_one_new_person_make_one_contact():
    names = [
        Identifiers("ada", "ada@example.com"),
        Identifiers("ada", anonymous_id="d"),
        Identifiers("ada", phone="030123456"),
        Identifiers("ada", "ada@example.com", "d", "030123456"),
    ]

    def resolve(person: Identifiers) -> int | None:
        done = transactions.run(lambda now: identity.resolve([person], source="api", now=now))
        return done.contact_ids[0]

    for _ in range(3):
        found = together(*(partial(resolve, person) for person in names * 2))
        assert len(set(found)) == 1
    assert Contact.objects.count() == 1
    assert ContactIdentity.objects.count() == 4


def test_the_same_new_person_over_http_is_one_contact():
    key = make_key("contacts:write", "events:write")
    bodies = [
        ("/api/v1/contacts/", {"email": "ada@example.com", "phone": "+49 30 123456"}),
        ("/api/v1/contacts/", {"external_id": "ada", "email": "Ada@example.com"}),
        ("/api/v1/events", {"events": [{"type": "seen", "contact": {"email": "ada@example.com"}}]}),
    ]

    def post(path: str, body: object) -> int:
        return Api(key).post_bytes(json.dumps(body).encode(), path).status_code

    answers = together(*(partial(post, *each) for each in bodies * 3))
    assert set(answers) <= {200, 201, 202}
    assert Contact.objects.count() == 1
    assert set(ContactEvent.objects.values_list("contact_id", flat=True)) == {Contact.objects.get().pk}


def test_one_pair_is_merged_once_from_whichever_side():
    for n in range(4):
        one, other = person(f"one{n}"), person(f"other{n}")
        refused = together(
            *(partial(unite, one, other), partial(unite, other, one)) * 2,
            partial(merge, one, other),
            partial(merge, other, one),
        )
        assert set(refused) <= {"", "absorbed"}
        assert living(one) == living(other)
        assert ContactMerge.objects.filter(absorbed_id__in=[one, other]).count() == 1


def test_merges_in_a_circle_leave_one_contact():
    people = [person(f"{n}") for n in range(4)]
    circle = list(zip(people, people[1:] + people[:1], strict=True))
    together(*(partial(unite, *pair) for pair in circle * 2))
    assert len({living(contact_id) for contact_id in people}) == 1
    assert Contact.objects.filter(merged_into=None).count() == 1


def test_no_event_is_lost_between_a_merge_and_its_writers():
    for n in range(3):
        ada, device = person(f"ada{n}"), person(anonymous_id=f"d{n}")
        together(
            partial(track, Identifiers(anonymous_id=f"d{n}"), 15, f"by-name-{n}"),
            partial(track, device, 15, f"by-id-{n}"),
            partial(track, ada, 15, f"ada-{n}"),
            partial(merge, ada, device),
        )
        sweep()
        owners = ContactEvent.objects.filter(contact_id__in=[ada, device]).values_list("contact_id", flat=True)
        assert list(owners) == [ada] * 45


def test_merging_and_undoing_at_once_leaves_every_event_with_one_living_contact():
    people = [person(f"{n}") for n in range(4)]
    for contact_id in people:
        track(contact_id, 3, f"{contact_id}")

    def stir(seed: int) -> None:
        mine = random.Random(seed)
        for _ in range(6):
            if mine.random() < 0.6:
                unite(*mine.sample(people, 2))
            else:
                standing = list(ContactMerge.objects.filter(undone_at=None).values_list("pk", flat=True))
                for merge_id in standing[-1:]:
                    once(lambda now, it=merge_id: merging.undo(it, actor="", now=now))
            track(mine.choice(people), 1, f"{seed}-{mine.random()}")

    together(*(partial(stir, seed) for seed in range(3)))
    sweep()
    alive = set(Contact.objects.filter(merged_into=None).values_list("pk", flat=True))
    owners = list(ContactEvent.objects.values_list("contact_id", flat=True))
    assert len(owners) == 12 + 18
    assert set(owners) <= alive
    while standing := list(ContactMerge.objects.filter(undone_at=None).order_by("-pk")):
        assert "" in {once(lambda now, it=each.pk: merging.undo(it, actor="", now=now)) for each in standing}
    for contact_id, recorded in ContactEvent.objects.values_list("contact_id", "recorded_contact_id"):
        assert contact_id == recorded
