"""Merging over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contacts.models import Contact, ContactMerge
from tests.contacts.conftest import Api, event, make_key, record
from tests.contacts.merging.conftest import merge, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def writer() -> Api:
    return Api(make_key("contacts:write", "contacts:read"))


def post(api: Api, path: str, body: Any = None) -> Any:
    return api.post_bytes(json.dumps(body or {}).encode(), f"/api/v1/{path}")


def public(contact_id: int) -> str:
    return str(Contact.objects.get(pk=contact_id).public_id)


def test_two_ids_become_one_contact_and_both_lead_to_it(writer, now):
    old, young = person("old", "old@example.com"), person("young", phone="030 123456")
    record(event(young, "page_viewed"), now=now)
    answer = post(writer, "contacts/merge", {"contacts": [public(young), public(old)]})
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["id"], shown["external_id"], shown["phone"]) == (public(old), "old", "030123456")
    (done,) = shown["merges"]
    assert (done["survivor"], done["absorbed"], done["actor"], done["undone_at"]) == (
        public(old), public(young), "key:test", None,
    )  # fmt: skip
    assert writer.get(f"/api/v1/contacts/{public(young)}").json()["id"] == public(old)
    types = [row["type"] for row in writer.get(f"/api/v1/contacts/{public(young)}/timeline").json()["results"]]
    assert "page_viewed" in types


@pytest.mark.parametrize("names", [("survivor", "absorbed"), ("survivor_id", "absorbed_id")])
def test_roles_may_be_named_and_the_oldest_survives_all_the_same(writer, names):
    old, young = person("old"), person("young")
    answer = post(writer, "contacts/merge/", dict(zip(names, (public(young), public(old)), strict=True)))
    assert answer.json()["id"] == public(old)


def test_the_same_again_changes_nothing(writer):
    ids = [public(person("1")), public(person("2")), public(person("3"))]
    assert len(post(writer, "contacts/merge", {"contacts": ids}).json()["merges"]) == 2
    again = post(writer, "contacts/merge", {"contacts": ids[1:]})
    assert (again.status_code, again.json()["id"], again.json()["merges"]) == (200, ids[0], [])
    assert ContactMerge.objects.count() == 2


def test_what_cannot_be_merged_is_a_problem(writer, now):
    ada, gone = person("ada"), person("gone")
    Contact.objects.filter(pk=gone).update(erased_at=now)
    nobody = "00000000-0000-4000-8000-000000000000"
    for body, status in (
        ({"contacts": [public(ada), public(ada)]}, 400),
        ({"contacts": [public(ada)]}, 400),
        ({"contacts": "ada"}, 400),
        ({"survivor": public(ada)}, 400),
        ({"contacts": [public(ada), "ada"]}, 400),
        ({"contacts": [public(ada), 7]}, 400),
        ([public(ada), public(gone)], 400),
        ({"contacts": [public(ada), nobody]}, 404),
        ({"contacts": [public(ada), public(gone)]}, 404),
    ):
        answer = post(writer, "contacts/merge", body)
        assert answer.status_code == status, body
        assert answer["Content-Type"] == "application/problem+json"
    assert not ContactMerge.objects.exists()


def test_a_merge_is_listed_and_undone_once(writer):
    old, young = person("old"), person("young")
    first = merge(old, young)
    listed = writer.get(f"/api/v1/contacts/{public(young)}/merges").json()["results"]
    assert [row["id"] for row in listed] == [first]
    undone = post(writer, f"merges/{first}/undo")
    assert undone.status_code == 200
    assert undone.json()["undone_by"] == "key:test"
    assert writer.get(f"/api/v1/contacts/{public(young)}").json()["external_id"] == "young"
    assert post(writer, f"merges/{first}/undo").status_code == 409
    assert post(writer, "merges/0/undo/").status_code == 404


def test_the_later_merge_is_to_be_undone_first(writer):
    first = merge(person("2"), person("1"))
    merge(person("3"), person("2"))
    answer = post(writer, f"merges/{first}/undo")
    assert answer.status_code == 409
    assert "undo that first" in answer.json()["detail"]


def test_merging_needs_its_scope():
    reader = Api(make_key("contacts:read"))
    ids = [public(person("1")), public(person("2"))]
    assert post(reader, "contacts/merge", {"contacts": ids}).status_code == 403
    assert post(reader, f"merges/{merge(person('1'), person('2'))}/undo").status_code == 403
