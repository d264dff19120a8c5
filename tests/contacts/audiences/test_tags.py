"""Tags: added once, written down, told."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from contacts import clock, signals, transactions
from contacts.audiences import tags
from contacts.audiences.naming import Refused
from contacts.audiences.tags import Tagging
from contacts.models import Contact, ContactChange, ContactEvent, ContactTag, PendingEvent, Tag
from tests.contacts.audiences.keeping import check, make_live, members
from tests.contacts.conftest import await_events


def people(number: int) -> list[int]:
    return [contact.id for contact in Contact.objects.bulk_create([Contact() for _ in range(number)])]


def tag(contact_ids, name="vip", *, now, **options) -> list[int]:
    with transaction.atomic():
        return tags.add_tag(contact_ids=contact_ids, tag=name, source="api", now=now, **options)


@pytest.mark.django_db
def test_only_those_without_the_tag_get_it(now):
    ada, bob, eve = people(3)
    assert tag([bob], now=now) == [bob]
    assert tag([eve, ada, bob, ada], now=now) == [ada, eve]
    assert tag([ada, bob, eve], now=now) == []
    assert ContactTag.objects.count() == 3
    assert Tag.objects.get().name == "vip"


@pytest.mark.django_db
def test_a_new_tag_is_a_change_an_event_and_news(now):
    heard = []

    def listen(sender, **kwargs):
        heard.append((kwargs["contact_ids"], kwargs["kinds"]))

    signals.contacts_changed.connect(listen)
    await_events("tag_added")
    (ada,) = people(1)
    tag([ada], now=now, lane="bulk")
    tag([ada], now=now)
    change = ContactChange.objects.get()
    assert (change.contact_id, change.kind, change.name, change.source) == (ada, "tag", "vip", "api")
    assert (change.old, change.new) == (False, True)
    event = ContactEvent.objects.get()
    assert (event.type, event.properties, event.source, event.processed) == ("tag_added", {"tag": "vip"}, "own", True)
    assert PendingEvent.objects.get().lane == "bulk"
    assert heard == [((ada,), frozenset({"tag"}))]


@pytest.mark.django_db
def test_a_tag_that_was_removed_and_comes_back_is_a_new_event(now):
    (ada,) = people(1)
    tag([ada], now=now)
    ContactTag.objects.all().delete()
    tag([ada], now=now)
    assert ContactEvent.objects.filter(type="tag_added").count() == 2


@pytest.mark.django_db
def test_contacts_that_do_not_exist_are_passed_over(now):
    (ada,) = people(1)
    assert tag([ada, ada + 1], now=now) == [ada]


@pytest.mark.django_db
def test_many_tags_from_many_places_go_in_together(now):
    ada, bob = people(2)
    with transaction.atomic():
        added = tags.add_tags(
            [Tagging(bob, "b", "workflow:x"), Tagging(ada, "a", "workflow:y"), Tagging(ada, "b", "workflow:x")], now=now
        )
    assert [(each.tag, each.contact_id) for each in added] == [("a", ada), ("b", ada), ("b", bob)]
    sources = dict(ContactChange.objects.values_list("name", "source"))
    assert sources == {"a": "workflow:y", "b": "workflow:x"}


@pytest.mark.django_db
def test_the_price_does_not_depend_on_the_number_of_contacts(now, monkeypatch):
    monkeypatch.setattr(signals.events_recorded, "receivers", [])
    monkeypatch.setattr(signals.contacts_changed, "receivers", [])

    def statements(number: int) -> int:
        contacts = people(number)
        with CaptureQueriesContext(connection) as queries:
            assert len(tag(contacts, f"tag {number}", now=now)) == number
        return len(queries)

    assert statements(10) == statements(1000) <= 13


@pytest.mark.django_db(transaction=True)
def test_four_threads_adding_the_same_tag_add_it_once():
    now, contacts = clock.now(), people(50)
    barrier, added = threading.Barrier(4), []

    def work(order):
        try:
            barrier.wait()
            added.extend(tag(order, now=now))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(contacts[:: (-1) ** n],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(added) == contacts
    assert ContactEvent.objects.filter(type="tag_added").count() == 50


def rename(old: str, new: str) -> int:
    return transactions.run(lambda now: tags.rename(old, new, source="admin", now=now))


def bearers(name: str) -> list[int]:
    return sorted(ContactTag.objects.filter(tag__name=name).values_list("contact_id", flat=True))


@pytest.mark.django_db
def test_a_tag_that_is_called_otherwise_keeps_its_bearers_and_starts_nothing(now):
    ada, bob, _ = people(3)
    tag([ada, bob], "vpi", now=now)
    rows = set(ContactTag.objects.values_list("id", "contact_id", "added_at"))
    events = ContactEvent.objects.count()
    assert rename("vpi", "vip") == 2
    assert list(Tag.objects.values_list("name", flat=True)) == ["vip"]
    assert set(ContactTag.objects.values_list("id", "contact_id", "added_at")) == rows
    said = ContactChange.objects.filter(contact_id=bob, source="admin").order_by("id")
    assert [(each.name, each.old, each.new) for each in said] == [("vpi", True, False), ("vip", False, True)]
    assert ContactEvent.objects.count() == events


@pytest.mark.django_db
def test_two_tags_become_one_however_many_have_them(now, monkeypatch):
    monkeypatch.setattr(tags, "_TAKEN_AT_ONCE", 2)
    everybody = people(5)
    tag(everybody, "VIP", now=now)
    tag(everybody[:2], "vip", now=now)
    assert rename("VIP", "vip") == 5
    assert bearers("vip") == everybody
    assert not Tag.objects.filter(name="VIP").exists()
    assert ContactChange.objects.filter(source="admin", name="VIP", new=False).count() == 5
    assert ContactChange.objects.filter(source="admin", name="vip", new=True).count() == 3


@pytest.mark.django_db
def test_segments_that_ask_about_the_new_name_follow(now):
    (ada,) = people(1)
    tag([ada], "vpi", now=now)
    make_live("vips", {"has_tag": "vip"})
    rename("vpi", "vip")
    check()
    assert members("vips") == [ada]


@pytest.mark.django_db
def test_a_tag_that_a_segment_asks_about_keeps_its_name(now):
    tag(people(1), now=now)
    make_live("vips", {"not": {"has_tag": "vip"}})
    with pytest.raises(Refused, match="the segment “vips”"):
        rename("vip", "VIP")
    assert rename("vip", "vip") == 0
    with pytest.raises(LookupError):
        rename("nobody's", "VIP")
