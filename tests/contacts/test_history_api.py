"""A contact's timeline and consents over the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from contacts import consent, identity
from contacts.audiences import tags
from contacts.consent import Consent
from contacts.identifiers import Identifiers
from contacts.models import Contact
from tests.contacts.conftest import Api, event, make_key, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(db) -> Api:
    return Api(make_key("contacts:read"))


@pytest.fixture
def ada(now) -> Contact:
    """Signed up, was tagged, agreed; bob did something, too."""
    record(event("ada", "signed_up", now, properties={"plan": "trial"}), event("bob"), now=now)
    contact = Contact.objects.get(external_id="ada")
    with transaction.atomic():
        tags.add_tag(contact_ids=[contact.pk], tag="vip", source="api", now=now + timedelta(minutes=1))
        consent.record(
            [Consent(contact.pk, "marketing", "denied", topic="news", evidence={"form": "footer"})],
            source="api",
            now=now + timedelta(minutes=2),
        )
    return contact


def address(contact: Contact, what: str) -> str:
    return f"/api/v1/contacts/{contact.public_id}/{what}"


def test_a_timeline_tells_everything_newest_first(reader, ada):
    page = reader.get(address(ada, "timeline")).json()
    assert set(page) == {"results", "next", "previous"} and page["next"] is page["previous"] is None
    rows = page["results"]
    assert [row["at"] for row in rows] == sorted((row["at"] for row in rows), reverse=True)
    assert {(row["source"], row["type"]) for row in rows} == {
        ("consent", "consent_recorded"),
        ("changes", "tag_changed"),
        ("events", "tag_added"),
        ("events", "signed_up"),
    }
    first = rows[-1]
    assert (first["type"], first["at"]) == ("signed_up", "2026-03-04T12:00:00Z")
    assert first["data"] == {"properties": {"plan": "trial"}, "processed": True, "from": "api"}
    assert rows[0]["data"] == {"category": "marketing", "topic": "news", "state": "denied", "from": "api"}


def test_pages_of_a_timeline_hold_every_row_once(reader, ada, now):
    record(*[event("ada", f"e{n}", now) for n in range(7)], now=now)
    seen, where = [], address(ada, "timeline/?limit=3")
    while where:
        page = reader.get(where).json()
        assert len(page["results"]) <= 3
        seen += [row["type"] for row in page["results"]]
        where = page["next"]
    assert len(seen) == len(set(seen)) == 11
    assert seen[-8:] == [*(f"e{n}" for n in reversed(range(7))), "signed_up"]


def test_one_source_may_be_read_alone(reader, ada):
    rows = reader.get(address(ada, "timeline"), source="events").json()["results"]
    assert [row["type"] for row in rows] == ["tag_added", "signed_up"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"cursor": "x"}, 404),
        ({"cursor": "2026-01-01~events~1"}, 404),
        ({"source": "gossip"}, 400),
        ({"limit": "x"}, 400),
        ({"limit": "100000"}, 200),
    ],
)
def test_what_cannot_be_asked_is_said(reader, ada, query, status):
    assert reader.get(address(ada, "timeline"), **query).status_code == status


def test_consents_are_shown_as_they_were_recorded(reader, ada, now):
    with transaction.atomic():
        consent.record(
            [Consent(ada.pk, "marketing", "granted"), Consent(ada.pk, "tracking", "denied")], source="import", now=now
        )
    page = reader.get(address(ada, "consents/")).json()
    assert [(row["category"], row["topic"], row["state"], row["source"]) for row in page["results"]] == [
        ("tracking", "", "denied", "import"),
        ("marketing", "all", "granted", "import"),
        ("marketing", "news", "denied", "api"),
    ]
    assert page["results"][2]["recorded_at"] == "2026-03-04T12:02:00Z"
    assert page["results"][2]["evidence"] == {"form": "footer"}


@pytest.mark.parametrize("what", ["timeline", "consents"])
def test_the_past_of_nobody_is_404_and_needs_its_scope(reader, ada, now, what):
    assert Api(make_key("contacts:write")).get(address(ada, what)).status_code == 403
    identity.resolve([Identifiers("gone")], source="api", now=now)
    Contact.objects.filter(external_id="gone").update(erased_at=now)
    assert reader.get(address(Contact.objects.get(external_id="gone"), what)).status_code == 404
