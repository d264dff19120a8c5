"""Conflicts, merging by hand, and the ledger, in the admin."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.urls import reverse

from contacts import clock, identity
from contacts.identifiers import Identifiers
from contacts.models import Contact, ContactChange, ContactMerge
from tests.contacts.merging.conftest import merge, person, undo

pytestmark = pytest.mark.django_db
CONFLICTS = "/admin/contacts/contactmerge/conflicts/"
ALL = ("contacts.view_contact", "contacts.change_contact", "contacts.view_contactmerge")


def conflict() -> tuple[int, int]:
    """Ada was called by Bob's address."""
    ada, bob = person("ada"), person(email="bob@example.com")
    with transaction.atomic():
        identity.resolve([Identifiers("ada", "bob@example.com")], source="api", now=clock.now())
    return ada, bob


def page_of(contact_id: int) -> str:
    return reverse("admin:contacts_contact_change", args=[contact_id])


def test_a_conflict_waits_until_the_two_are_merged_and_again_when_that_is_undone(staff):
    ada, bob = conflict()
    client = staff(*ALL)
    shown = client.get(CONFLICTS).content.decode()
    assert page_of(ada) in shown and page_of(bob) in shown and "bob@example.com" in shown
    merge_id = merge(ada, bob)
    assert page_of(ada) not in client.get(CONFLICTS).content.decode()
    undo(merge_id)
    assert page_of(ada) in client.get(CONFLICTS).content.decode()


def test_a_pair_that_is_left_apart_is_not_asked_about_again_for_that_name(staff):
    ada, bob = conflict()
    client = staff(*ALL)
    row = ContactChange.objects.get(kind="identity_conflict").pk
    assert client.post(CONFLICTS, {"apart": row}).status_code == 302
    assert page_of(ada) not in client.get(CONFLICTS).content.decode()
    told = ContactChange.objects.get(kind="left_apart")
    assert (told.contact_id, told.old, told.new) == (ada, bob, "bob@example.com")
    client.post(CONFLICTS, {"apart": row})  # somebody else was faster
    assert ContactChange.objects.filter(kind="left_apart").count() == 1


def test_the_conflict_of_somebody_who_was_erased_is_gone(staff):
    ada, _ = conflict()
    Contact.objects.filter(pk=ada).update(erased_at=clock.now())
    assert page_of(ada) not in staff(*ALL).get(CONFLICTS).content.decode()


def test_two_are_compared_and_merged_by_hand_and_parted_again(staff):
    ada, bob = person("ada"), person(email="bob@example.com")
    Contact.objects.filter(pk=ada).update(attributes={"city": "Berlin"})
    Contact.objects.filter(pk=bob).update(attributes={"city": "Paris"})
    client = staff(*ALL)
    here = reverse("admin:contacts_contact_merge", args=[bob])
    assert here in client.get(page_of(bob)).content.decode()
    assert f"?with={ada}" in client.get(here, {"q": "ada"}).content.decode()
    compared = client.get(here, {"with": ada}).content.decode()
    assert "Berlin" in compared and "Paris" in compared and "Differs" in compared
    assert client.post(here, {"with": ada}).headers["Location"] == page_of(ada)
    (done,) = ContactMerge.objects.all()
    assert (done.survivor_id, done.source) == (ada, "admin")
    assert done.actor.startswith("staff:")
    record = reverse("admin:contacts_contactmerge_change", args=[done.pk])
    assert "Undo the merge" in client.get(record).content.decode()
    undone = client.post(reverse("admin:contacts_contactmerge_undo", args=[done.pk]), follow=True)
    assert "two contacts again" in undone.content.decode()
    assert "Undo the merge" not in undone.content.decode()
    again = client.post(reverse("admin:contacts_contactmerge_undo", args=[done.pk]), follow=True)
    assert "undone already" in again.content.decode()


def test_nobody_is_merged_with_themselves_or_with_nobody(staff):
    ada = person("ada")
    client = staff(*ALL)
    here = reverse("admin:contacts_contact_merge", args=[ada])
    assert client.get(here, {"with": ada}).status_code == 200
    assert "into itself" in client.post(here, {"with": ada}, follow=True).content.decode()
    for nobody in ("", "x", "9" * 30, str(10**12)):
        assert client.post(here, {"with": nobody}).status_code == 404
    assert client.get(reverse("admin:contacts_contact_merge", args=[10**12])).status_code == 404


def test_who_may_only_look_merges_nobody(staff):
    ada, bob = conflict()
    client = staff("contacts.view_contact", "contacts.view_contactmerge")
    assert "Leave apart" not in client.get(CONFLICTS).content.decode()
    row = ContactChange.objects.get(kind="identity_conflict").pk
    assert client.post(CONFLICTS, {"apart": row}).status_code == 403
    assert client.get(reverse("admin:contacts_contact_merge", args=[ada])).status_code == 403
    merge_id = merge(ada, bob)
    assert client.get("/admin/contacts/contactmerge/").status_code == 200
    assert (
        "Undo the merge"
        not in client.get(reverse("admin:contacts_contactmerge_change", args=[merge_id])).content.decode()
    )
    assert client.post(reverse("admin:contacts_contactmerge_undo", args=[merge_id])).status_code == 403
    assert staff("contacts.view_tag").get(CONFLICTS).status_code == 403


def test_a_page_of_conflicts_costs_the_same_however_many_there_are(staff, django_assert_max_num_queries):
    for n in range(12):
        person(f"a{n}"), person(email=f"b{n}@example.com")
        with transaction.atomic():
            identity.resolve([Identifiers(f"a{n}", f"b{n}@example.com")], source="api", now=clock.now())
    client = staff(*ALL)
    with django_assert_max_num_queries(12):
        assert client.get(CONFLICTS).content.decode().count("Leave apart") >= 12
