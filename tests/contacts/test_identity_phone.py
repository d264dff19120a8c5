"""A telephone names a person, and a family may share it."""

from __future__ import annotations

import json

import pytest
from django.db import transaction

from contacts import clock, identity, upserting
from contacts.identifiers import Identifiers
from contacts.identity import Known, settle
from contacts.models import Contact, ContactChange, ContactEvent
from contacts.upserting import Person
from tests.contacts.conftest import Api, make_key

PHONE = ("phone", "+49301234567")
MAIL = ("email", "ada@example.com")
DEVICE = ("anonymous_id", "device")


def resolve(**names: str) -> int | None:
    with transaction.atomic():
        return identity.resolve([Identifiers(**names)], source="api", now=clock.now()).contact_ids[0]


def upsert(**fields: str) -> int | None:
    with transaction.atomic():
        return upserting.upsert([Person(fields)], source="api", now=clock.now()).contact_ids[0]


def conflicts() -> list[tuple[int, str]]:
    return list(ContactChange.objects.filter(kind="identity_conflict").values_list("contact_id", "name"))


def test_it_decides_after_the_address_and_before_the_device():
    known = {MAIL: Known(1, frozenset({"email"})), PHONE: Known(2, frozenset({"phone"})), DEVICE: Known(3, frozenset())}
    assert settle([[MAIL, PHONE, DEVICE]], known).contacts == [1]
    assert settle([[PHONE, DEVICE]], known).contacts == [2]


def test_somebody_with_another_address_is_somebody_else():
    known = {PHONE: Known(2, frozenset({"phone", "email"}))}
    settled = settle([[MAIL, PHONE]], known)
    assert settled.contacts == [-1]
    assert settled.conflicts == {(-1, PHONE): 2}


@pytest.mark.parametrize("has", ["email", "external_id"])
def test_a_new_external_id_is_not_given_to_somebody_else_of_the_family(has):
    settled = settle([[("external_id", "child"), PHONE]], {PHONE: Known(2, frozenset({"phone", has}))})
    assert settled.contacts == [-1]
    assert settled.attached == {("external_id", "child"): -1}


@pytest.mark.django_db
def test_any_spelling_finds_who_it_means_and_the_contact_shows_it():
    ada = resolve(phone=" +49 (30) 123-4567 ")
    assert Contact.objects.get().phone == "+49301234567"
    assert resolve(phone="+49301234567", email="ada@example.com") == ada
    assert Contact.objects.get().email == "ada@example.com"


@pytest.mark.django_db
def test_an_upsert_attaches_it_and_the_second_of_a_family_only_shows_it():
    mother, child = upsert(external_id="mother", phone="030123456"), upsert(external_id="child", phone="030 123456")
    assert mother != child
    assert set(Contact.objects.values_list("phone", flat=True)) == {"030123456", "030 123456"}
    assert conflicts() == [(child, "phone")]
    assert resolve(phone="030123456") == mother


@pytest.mark.django_db
def test_a_patch_with_a_telephone_of_somebody_else_is_taken_and_noted():
    mother, child = upsert(external_id="mother", phone="030123456"), upsert(external_id="child")
    public = Contact.objects.get(pk=child).public_id
    api = Api(make_key("contacts:write"))
    answer = api.call("PATCH", f"/api/v1/contacts/{public}", json.dumps({"phone": "030 123456"}).encode())
    assert (answer.status_code, answer.json()["phone"]) == (200, "030123456")
    assert conflicts() == [(child, "phone")]
    assert resolve(phone="030123456") == mother


@pytest.mark.django_db
def test_over_http_it_creates_the_contact_of_an_event_and_of_an_upsert():
    api = Api(make_key("events:write", "contacts:write"))
    done = api.post_events(
        {"type": "called", "contact": {"phone": "+49"}}, {"type": "called", "contact": {"phone": "x"}}
    )
    assert (done["accepted"], done["rejected"][0]["errors"][0]["loc"]) == (0, ["contact", "phone"])
    assert api.post_events({"type": "called", "contact": {"phone": "+49 30 1234567"}})["accepted"] == 1
    answer = api.post_bytes(json.dumps({"phone": "+49301234567"}).encode(), "/api/v1/contacts/")
    assert answer.status_code == 200
    assert Contact.objects.get().pk == ContactEvent.objects.get().contact_id
