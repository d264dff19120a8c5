"""Contacts written over the API: one or a thousand, merged, and told exactly where they are wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import signals
from contacts.models import ConsentRecord, Contact, ContactChange, ContactIdentity
from tests.contacts.conftest import Api, make_key, together

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/contacts/"


@pytest.fixture
def writer(db) -> Api:
    return Api(make_key("contacts:write"))


def send(api: Api, body: Any, path: str = ADDRESS, method: str = "POST") -> Any:
    response = api.call(method, path, json.dumps(body).encode())
    assert response.status_code in {200, 201}, response.content
    return response.json()


def refused(api: Api, body: Any, path: str = ADDRESS, method: str = "POST") -> list[tuple[list[Any], str]]:
    """(loc, code) of each error of a 400."""
    response = api.call(method, path, body if isinstance(body, bytes) else json.dumps(body).encode())
    assert response.status_code == 400, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    return [(each["loc"], each["code"]) for each in response.json()["errors"]]


def bulk(api: Api, *people: Any) -> dict[str, Any]:
    return send(api, {"contacts": people}, f"{ADDRESS}bulk")


def rejected(answer: dict[str, Any]) -> list[tuple[int, list[Any], str]]:
    """(index, loc, code) of the first error of each."""
    return [(each["index"], each["errors"][0]["loc"], each["errors"][0]["code"]) for each in answer["rejected"]]


# -- one ---------------------------------------------------------------------------------------------------------------


def test_who_is_not_known_is_created_and_then_completed(writer):
    whole = {
        "external_id": "ada",
        "email": "Ada@Example.com",
        "phone": "+49 (151) 123-456",
        "timezone": "Europe/Berlin",
        "locale": "de_DE",
        "region": "eu",
        "owner_email": "sam@example.com",
        "attributes": {"plan": "trial", "seats": 3, "nested": {"a": [1, True]}},
        "tags": ["vip", " beta "],
        "frequency_cap": {"per_day": 2, "per_week": None},
        "consents": {"tracking": "granted", "marketing": {"all": "granted", "news": "denied"}},
    }
    first = writer.call("POST", ADDRESS, json.dumps(whole).encode())
    assert first.status_code == 201
    shown = first.json()
    assert (shown["tags"], shown["phone"]) == (["beta", "vip"], "+49151123456")
    assert shown == {**shown, **whole, "phone": "+49151123456", "tags": ["beta", "vip"]}

    again = writer.call("POST", "/api/v1/contacts", json.dumps({"email": "ADA@example.com", "tags": ["new"]}).encode())
    assert again.status_code == 200
    assert again.json() == {**shown, "tags": ["beta", "new", "vip"]}


def test_what_was_shown_can_be_sent_back_and_changes_nothing(writer):
    shown = send(writer, {"external_id": "ada", "attributes": {"n": 1.0}, "consents": {"data_processing": "granted"}})
    before = Contact.objects.values().get()
    assert send(writer, shown) == shown
    assert Contact.objects.values().get() == before
    assert not ContactChange.objects.exists()
    assert ConsentRecord.objects.count() == 1


def test_attributes_are_merged_and_a_null_removes_one(writer):
    send(writer, {"external_id": "ada", "attributes": {"plan": "trial", "seats": 3, "flag": 1, "list": [1]}})
    new = {"plan": None, "seats": 4, "unknown": None, "flag": True, "list": [1.0], "city": {"name": None}}
    shown = send(writer, {"external_id": "ada", "attributes": new})
    assert shown["attributes"] == {"seats": 4, "flag": True, "list": [1], "city": {"name": None}}
    changes = ContactChange.objects.order_by("id").values_list("kind", "name", "old", "new", "source")
    assert list(changes) == [
        ("attribute", "plan", "trial", None, "api"),
        ("attribute", "seats", 3, 4, "api"),
        ("attribute", "flag", 1, True, "api"),
        ("attribute", "city", None, {"name": None}, "api"),
    ]


def test_fields_are_replaced_and_an_empty_one_is_cleared(writer):
    send(writer, {"external_id": "ada", "phone": "12345", "locale": "de", "frequency_cap": {"per_day": 5}})
    shown = send(writer, {"external_id": "ada", "phone": None, "locale": "", "frequency_cap": None, "email": None})
    assert (shown["phone"], shown["locale"], shown["frequency_cap"]) == ("", "", None)
    changes = ContactChange.objects.filter(kind="field").order_by("id").values_list("name", "old", "new")
    assert list(changes) == [("phone", "12345", ""), ("locale", "de", ""), ("frequency_cap", {"per_day": 5}, None)]


def test_the_external_id_decides_before_the_email(writer):
    send(writer, {"external_id": "ada", "email": "ada@example.com"})
    send(writer, {"external_id": "bob"})
    shown = send(writer, {"external_id": "bob", "email": "ada@example.com", "attributes": {"plan": "paid"}})
    assert (shown["external_id"], shown["email"], shown["attributes"]) == ("bob", "", {"plan": "paid"})
    assert ContactChange.objects.filter(kind="identity_conflict").count() == 1
    assert Contact.objects.count() == 2


def test_an_anonymous_visitor_may_be_named_later(writer):
    first = send(writer, {"anonymous_id": "browser-1", "attributes": {"seen": 1}})
    assert send(writer, {"anonymous_id": "browser-1", "email": "ada@example.com"})["id"] == first["id"]
    assert send(writer, {"email": "ada@example.com"})["attributes"] == {"seen": 1}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, [([], "missing")]),
        ([], [([], "type")]),
        ({"email": None, "external_id": " "}, [([], "missing")]),
        ({"email": "nobody"}, [(["email"], "email")]),
        ({"external_id": "x" * 256}, [(["external_id"], "too_long")]),
        ({"external_id": ["x"]}, [(["external_id"], "type")]),
        ({"external_id": "a", "phone": "call me"}, [(["phone"], "phone")]),
        ({"external_id": "a", "phone": 12345}, [(["phone"], "type")]),
        ({"external_id": "a", "timezone": "Europe/Atlantis"}, [(["timezone"], "timezone")]),
        ({"external_id": "a", "owner_email": "sam"}, [(["owner_email"], "email")]),
        ({"external_id": "a", "locale": "d\ne"}, [(["locale"], "control_character")]),
        ({"external_id": "a", "first_name": "Ada"}, [(["first_name"], "unknown")]),
        ({"external_id": "a", "attributes": []}, [(["attributes"], "type")]),
        ({"external_id": "a", "attributes": {"": 1}}, [(["attributes", ""], "name")]),
        ({"external_id": "a", "attributes": {"a": "\x00"}}, [(["attributes", "a"], "nul")]),
        ({"external_id": "a", "tags": "vip"}, [(["tags"], "type")]),
        ({"external_id": "a", "tags": ["vip", 5, ""]}, [(["tags", 1], "type"), (["tags", 2], "name")]),
        ({"external_id": "a", "tags": ["t"] * 101}, [(["tags"], "length")]),
        ({"external_id": "a", "lists": ["newsletter"]}, [(["lists", 0], "unknown_list")]),
        ({"external_id": "a", "frequency_cap": 1}, [(["frequency_cap"], "type")]),
        ({"external_id": "a", "frequency_cap": {"per_day": -1}}, [(["frequency_cap", "per_day"], "range")]),
        ({"external_id": "a", "frequency_cap": {"per_day": True}}, [(["frequency_cap", "per_day"], "range")]),
        ({"external_id": "a", "frequency_cap": {"per_hour": 1}}, [(["frequency_cap", "per_hour"], "unknown")]),
        ({"external_id": "a", "consents": "granted"}, [(["consents"], "type")]),
        ({"external_id": "a", "consents": {"sms": "granted"}}, [(["consents", "sms"], "unknown")]),
        ({"external_id": "a", "consents": {"tracking": True}}, [(["consents", "tracking"], "choice")]),
        ({"external_id": "a", "consents": {"marketing": "denied"}}, [(["consents", "marketing"], "type")]),
        (
            {"external_id": "a", "consents": {"marketing": {"news": "no"}}},
            [(["consents", "marketing", "news"], "choice")],
        ),
    ],
)
def test_every_place_that_is_wrong_is_named_and_nothing_is_stored(writer, body, where):
    assert refused(writer, body) == where
    assert not Contact.objects.exists()


def test_several_mistakes_are_told_at_once(writer):
    body = {"email": "x", "phone": "x", "tags": [1], "consents": {"x": 1}}
    assert [loc for loc, _ in refused(writer, body)] == [["email"], ["phone"], ["consents", "x"], ["tags", 0]]


def test_people_of_a_forbidden_region_are_not_stored(writer, settings):
    settings.RESIDENCY_ALLOWED = ["eu"]
    assert refused(writer, {"external_id": "a", "region": "us"}) == [(["region"], "residency")]
    assert bulk(writer, {"external_id": "b", "region": "eu"}, {"external_id": "c", "region": "us"})["created"] == 1


def test_writing_needs_its_scope():
    reader = Api(make_key("contacts:read"))
    for method, path in (
        ("POST", ADDRESS),
        ("POST", f"{ADDRESS}bulk"),
        ("PATCH", f"{ADDRESS}{'0' * 8}-{'-'.join(['0' * 4] * 3)}-{'0' * 12}"),
    ):
        assert reader.call(method, path, b"{}").status_code == 403


# -- many --------------------------------------------------------------------------------------------------------------


def test_a_batch_says_what_became_of_each(writer):
    send(writer, {"external_id": "ada", "attributes": {"plan": "trial"}})
    send(writer, {"external_id": "bob"})
    answer = bulk(
        writer,
        {"external_id": "ada", "attributes": {"plan": "paid"}},
        {"external_id": "bob"},
        {"external_id": "carol"},
        {"external_id": "carol", "attributes": {"second": True}},
        {"email": "nobody"},
        {"external_id": "bob", "email": "bob@example.com"},
    )
    assert {name: answer[name] for name in ("created", "updated", "unchanged")} == {
        "created": 1, "updated": 4, "unchanged": 0,
    }  # fmt: skip
    assert rejected(answer) == [(4, ["email"], "email")]
    assert bulk(writer, {"external_id": "bob"}, {"external_id": "ada"})["unchanged"] == 2


def test_each_way_to_change_counts(writer):
    send(writer, {"external_id": "ada"})
    for said in ({"tags": ["a"]}, {"consents": {"tracking": "denied"}}, {"frequency_cap": {}}, {"anonymous_id": "x"}):
        for number in ("updated", "unchanged"):
            assert bulk(writer, {"external_id": "ada", **said})[number] == 1


def test_one_broken_element_takes_no_other_along(writer):
    body = (
        b'{"contacts": [{"external_id": "a"}, {"external_id": "b", "attributes": {"x": NaN}}, 5, {"external_id": "c"}]}'
    )
    response = writer.call("POST", f"{ADDRESS}bulk/", body)
    assert response.status_code == 200
    assert rejected(response.json()) == [(1, ["attributes", "x"], "not_finite"), (2, [], "type")]
    assert response.json()["created"] == 2


def test_all_may_be_rejected(writer):
    nobody = {"loc": [], "msg": "needs an external_id, email, phone or anonymous_id", "code": "missing"}
    assert bulk(writer, {}, {}) == {
        "created": 0,
        "updated": 0,
        "unchanged": 0,
        "rejected": [{"index": n, "errors": [nobody]} for n in (0, 1)],
    }


@pytest.mark.parametrize("body", [b"[]", b"{", b"{}", b'{"contacts": []}', b'{"contacts": {}}'])
def test_what_is_no_batch_is_400(writer, body):
    assert writer.call("POST", f"{ADDRESS}bulk", body).status_code == 400


def test_a_batch_has_a_thousand_at_most(writer):
    people = [{"external_id": f"c{n}"} for n in range(1001)]
    assert refused(writer, {"contacts": people}, f"{ADDRESS}bulk") == [(["contacts"], "length")]
    assert bulk(writer, *people[:1000])["created"] == 1000


def test_a_batch_costs_the_same_whatever_its_size(writer, monkeypatch):
    monkeypatch.setattr(signals.contacts_changed, "receivers", [])

    def price(name: str, size: int, **more: Any) -> int:
        people = [
            {
                "external_id": f"{name}{n}",
                "email": f"{name}{n}@example.com",
                "attributes": {"n": n, **more},
                "tags": [name, *more],
                "consents": {"tracking": "granted", "marketing": {"all": "denied", "news": "granted"}},
            }
            for n in range(size)
        ]
        with CaptureQueriesContext(connection) as queries:
            bulk(writer, *people)
        return len(queries)

    price("warm", 2)
    new = price("a", 10)
    assert price("b", 400) == new <= 30
    known = price("a", 10, more=1)
    assert price("b", 400, more=1) == known <= 30


def test_of_two_words_about_one_contact_the_last_one_holds(writer):
    def agree(*marketing: dict[str, str]) -> dict[str, str]:
        bulk(writer, *[{"external_id": "ada", "consents": {"marketing": each}} for each in marketing])
        return Api(make_key("contacts:read")).get(ADDRESS).json()["results"][0]["consents"]["marketing"]

    assert agree({"all": "granted"}, {"all": "denied"}) == {"all": "denied"}
    assert agree({"news": "granted"}, {"all": "denied"}) == {"all": "denied"}
    assert agree({"news": "granted", "all": "denied"}) == {"all": "denied", "news": "granted"}


@pytest.mark.django_db(transaction=True)
def test_two_programs_that_bring_the_same_people_create_them_once():
    key = make_key("contacts:write")
    people = [{"external_id": f"c{n}", "email": f"c{n}@example.com", "tags": [f"t{n % 7}"]} for n in range(200)]
    answers = together(*[lambda order=order: bulk(Api(key), *order) for order in (people, people[::-1])])
    assert sum(answer["created"] for answer in answers) == 200
    assert Contact.objects.count() == 200


# -- change one --------------------------------------------------------------------------------------------------------


@pytest.fixture
def ada(writer) -> str:
    shown = send(writer, {"external_id": "ada", "email": "ada@example.com", "attributes": {"plan": "trial", "n": 1}})
    return f"{ADDRESS}{shown['id']}/"


def test_a_change_touches_what_it_says(writer, ada):
    shown = send(writer, {"attributes": {"plan": None}, "timezone": "Asia/Tokyo", "tags": ["vip"]}, ada, "PATCH")
    assert (shown["attributes"], shown["timezone"], shown["tags"]) == ({"n": 1}, "Asia/Tokyo", ["vip"])
    assert send(writer, {}, ada, "PATCH") == shown
    assert {change.kind for change in ContactChange.objects.all()} == {"attribute", "field", "tag"}


def test_new_names_are_shown_and_the_old_ones_still_mean_the_contact(writer, ada):
    shown = send(writer, {"external_id": "ada-2", "email": "new@example.com"}, ada, "PATCH")
    assert (shown["external_id"], shown["email"]) == ("ada-2", "new@example.com")
    for name in ({"external_id": "ada"}, {"external_id": "ada-2"}, {"email": "ada@example.com"}):
        assert send(writer, {**name, "attributes": {}})["id"] == shown["id"]
    assert send(writer, {"external_id": "ada"})["external_id"] == "ada-2"


def test_a_name_of_somebody_else_is_refused_and_nothing_of_the_change_is_kept(writer, ada):
    send(writer, {"external_id": "bob", "email": "bob@example.com"})
    body = {"external_id": "ada-2", "email": "BOB@example.com", "attributes": {"plan": "x"}}
    assert refused(writer, body, ada, "PATCH") == [(["email"], "taken")]
    assert not ContactIdentity.objects.filter(value="ada-2").exists()
    assert Contact.objects.get(external_id="ada").attributes["plan"] == "trial"


def test_a_change_is_checked_like_any_other_write(writer, ada):
    assert refused(writer, {"phone": "x", "nickname": "y"}, ada, "PATCH") == [
        (["nickname"], "unknown"), (["phone"], "phone"),
    ]  # fmt: skip
    assert refused(writer, {"email": None, "external_id": ""}, ada, "PATCH") == [
        (["external_id"], "kept"), (["email"], "kept"),
    ]  # fmt: skip


def test_who_is_not_there_cannot_be_changed(writer, ada):
    Contact.objects.update(erased_at="2026-01-01T00:00:00Z")
    assert writer.call("PATCH", ada, b"{}").status_code == 404
