"""Reading contacts over the API."""

from __future__ import annotations

import base64

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from contacts import consent, identity
from contacts.audiences import tags
from contacts.consent import Consent
from contacts.identifiers import Identifiers
from contacts.models import Contact, PrivacyDeed
from tests.contacts.conftest import Api, make_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(db):
    return Api(make_key("contacts:read"))


def test_a_contact_has_the_contracted_shape(reader, now):
    with transaction.atomic():
        (ada,) = identity.resolve([Identifiers("ada", "Ada@example.com")], source="api", now=now).contact_ids
        tags.add_tag(contact_ids=[ada], tag="vip", source="api", now=now)
        consent.record(
            [
                Consent(ada, "tracking", "granted"),
                Consent(ada, "marketing", "granted"),
                Consent(ada, "marketing", "denied", topic="news"),
                Consent(ada, "tracking", "denied"),
            ],
            source="api",
            now=now,
        )
    Contact.objects.update(attributes={"plan": "trial"}, timezone="Europe/Berlin", frequency_cap={"per_day": 2})
    public_id = str(Contact.objects.get().public_id)
    shape = {
        "id": public_id,
        "external_id": "ada",
        "email": "Ada@example.com",
        "phone": "",
        "timezone": "Europe/Berlin",
        "locale": "",
        "region": "",
        "owner_email": "",
        "attributes": {"plan": "trial"},
        "tags": ["vip"],
        "lists": [],
        "segments": [],
        "frequency_cap": {"per_day": 2},
        "consents": {"tracking": "denied", "marketing": {"all": "granted", "news": "denied"}},
    }
    assert reader.get("/api/v1/contacts/").json() == {"results": [shape], "next": None, "previous": None}
    assert reader.get(f"/api/v1/contacts/{public_id}").json() == shape
    assert reader.get(f"/api/v1/contacts/{public_id}/").json() == shape


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"email": "ADA@Example.com"}, 1),
        ({"external_id": "ada"}, 1),
        ({"external_id": "ada", "email": "ada@example.com"}, 1),
        ({"external_id": "ada", "email": "bob@example.com"}, 0),
        ({"email": "nobody@example.com"}, 0),
        ({"email": ""}, 0),
        ({"email": "a\x00b"}, 0),
        ({}, 2),
    ],
)
def test_filters_find_people_by_what_they_are_called(reader, now, query, found):
    people = [Identifiers("ada", "ada@example.com"), Identifiers("bob", "bob@example.com")]
    identity.resolve(people, source="api", now=now)
    assert len(reader.get("/api/v1/contacts", **query).json()["results"]) == found


def test_pages_follow_a_cursor_and_cost_the_same(reader):
    Contact.objects.bulk_create([Contact() for _ in range(25)])
    seen, address = [], "/api/v1/contacts/?limit=10"
    while address:
        with CaptureQueriesContext(connection) as queries:
            page = reader.get(address).json()
        assert len(queries) <= 6
        seen += [contact["id"] for contact in page["results"]]
        address = page["next"]
    newest_first = Contact.objects.order_by("-id").values_list("public_id", flat=True)
    assert seen == [str(each) for each in newest_first]


@pytest.mark.parametrize(
    "cursor",
    ["x", *(base64.b64encode(made_up).decode() for made_up in (b"p=yesterday", b"p=" + b"9" * 30, b"o=-1", b"p=%00"))],
)
def test_a_cursor_that_somebody_made_up_is_404(reader, cursor):
    Contact.objects.create()
    response = reader.get("/api/v1/contacts/", cursor=cursor)
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"


def test_merged_and_erased_contacts_are_not_listed_and_only_the_erased_are_nowhere(reader, now):
    living = Contact.objects.create()
    merged, erased = Contact.objects.create(merged_into=living), Contact.objects.create(erased_at=now)
    again = Contact.objects.create(merged_into=merged)
    for contact in (living, merged, erased, again):
        contact.refresh_from_db()
    assert [each["id"] for each in reader.get("/api/v1/contacts/").json()["results"]] == [str(living.public_id)]
    assert reader.get(f"/api/v1/contacts/{erased.public_id}").status_code == 404
    for contact in (merged, again):
        assert reader.get(f"/api/v1/contacts/{contact.public_id}").json()["id"] == str(living.public_id)
        assert reader.get(f"/api/v1/contacts/{contact.public_id}/timeline").status_code == 200


def test_reading_needs_its_scope():
    assert Api(make_key("events:write")).get("/api/v1/contacts/").status_code == 403
    assert Api("nonsense").get("/api/v1/contacts/").status_code == 401


def test_a_later_denial_of_all_marketing_holds_for_topics_agreed_to_before(reader, now):
    ada = Contact.objects.create(email="ada@example.com")
    words = [("granted", "product"), ("denied", "news"), ("denied", ""), ("granted", "events")]
    for state, topic in words:
        with transaction.atomic():
            consent.record([Consent(ada.pk, "marketing", state, topic)], source="api", now=now)
    (shown,) = reader.get("/api/v1/contacts/").json()["results"]
    assert shown["consents"] == {
        "marketing": {"all": "denied", "events": "granted", "news": "denied", "product": "denied"}
    }


@pytest.mark.parametrize(
    ("kind", "said"), [("phone", "+49 (170) 123-4567"), ("anonymous_id", "d-1"), ("external_id", "u1")]
)
def test_a_contact_is_found_by_each_of_its_names(reader, now, kind, said):
    with transaction.atomic():
        names = [Identifiers(external_id="u1", phone="+491701234567", anonymous_id="d-1"), Identifiers("u2")]
        identity.resolve(names, source="api", now=now)
    (found,) = reader.get("/api/v1/contacts/", **{kind: said}).json()["results"]
    assert found["external_id"] == "u1"
    assert reader.get("/api/v1/contacts/", **{kind: "+499999"}).json()["results"] == []


def test_to_delete_a_contact_is_to_erase_the_person(now):
    writer = Api(make_key("contacts:write"))
    ada = Contact.objects.create(email="ada@example.com", attributes={"name": "Ada"})
    ada.refresh_from_db()
    assert Api(make_key("contacts:read")).call("DELETE", f"/api/v1/contacts/{ada.public_id}", b"").status_code == 403
    assert writer.call("DELETE", f"/api/v1/contacts/{ada.public_id}", b"").status_code == 204
    assert writer.call("DELETE", f"/api/v1/contacts/{ada.public_id}", b"").status_code == 404
    ada.refresh_from_db()
    assert (ada.email, ada.attributes, ada.erased_at is None) == ("", {}, False)
    assert PrivacyDeed.objects.get().deed == "erase"
