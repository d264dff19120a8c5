"""Erasing and restricting over HTTP and from the terminal."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from contacts.models import ConsentRecord, Contact, ContactEvent, PrivacyDeed
from tests import journeys
from tests.contacts.conftest import Api, make_key
from tests.delivery import making
from tests.journeys import definition, step
from workflows.models import Enrolment, EntryRefusal

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def writer() -> Api:
    return Api(make_key("contacts:write", "contacts:read", "events:write"))


def post(api: Api, who: Contact, deed: str, body: bytes = b""):
    return api.call("POST", f"/api/v1/contacts/{who.public_id}/{deed}", body)


def test_an_erased_person_is_found_no_more(writer):
    who = making.contact()
    answer = post(writer, who, "erase")
    assert answer.status_code == 200
    assert set(answer.json()) == {"erased_at", "rows"}
    assert writer.get(f"/api/v1/contacts/{who.public_id}").status_code == 404
    assert post(writer, who, "erase").status_code == 404
    assert PrivacyDeed.objects.get().actor == "key:test"


def test_reading_gives_no_right_to_erase():
    who = making.contact()
    for deed in ("erase", "restrict", "unrestrict", "opt-in", "consents"):
        assert post(Api(make_key("contacts:read", "events:write")), who, deed, b"{}").status_code == 403
    assert Contact.objects.get().erased_at is None


def test_what_a_restricted_person_does_is_kept_and_counts_for_nothing(writer):
    journeys.publish(definition({"tag": step("add_tag", tag="in")}))
    who = making.contact()
    assert post(writer, who, "restrict").json() == {"restricted": True}
    journeys.track(who.pk, "signed_up", key="while-restricted")
    assert ContactEvent.objects.get(type="signed_up").processed is False
    assert post(writer, who, "unrestrict").json() == {"restricted": False}
    journeys.run()
    assert not Enrolment.objects.exists()  # not made up for
    journeys.track(who.pk, "signed_up", key="afterwards")
    journeys.run()
    assert Enrolment.objects.get().state == "completed"
    assert [deed.deed for deed in PrivacyDeed.objects.order_by("id")] == ["restrict", "unrestrict"]
    post(writer, who, "unrestrict")
    assert PrivacyDeed.objects.count() == 2 and ConsentRecord.objects.count() == 2


def test_not_even_what_we_say_ourselves_enrols_a_restricted_person(writer):
    from django.db import transaction

    from contacts import clock, events

    journeys.publish(definition({"tag": step("add_tag", tag="in")}))
    who = making.contact()
    post(writer, who, "restrict")
    with transaction.atomic():
        events.record_own([events.OwnEvent(who.pk, "signed_up", {}, key="own")], now=clock.now())
    assert ContactEvent.objects.get(type="signed_up").processed  # our own are never held
    journeys.run()
    assert not Enrolment.objects.exists()
    assert EntryRefusal.objects.get().reason == "restricted"


def test_what_was_said_comes_back_with_its_evidence(writer):
    who = making.contact()
    evidence = {"ip": "203.0.113.7", "policy_version": "2026-01", "at": "2026-01-02T03:04:05Z"}
    said = {"category": "marketing", "topic": "news", "state": "granted", "evidence": evidence}
    answer = post(writer, who, "consents", json.dumps(said).encode())
    assert answer.status_code == 201
    shown = answer.json()
    assert {name: shown[name] for name in said} == said and shown["source"] == "api"
    assert writer.get(f"/api/v1/contacts/{who.public_id}/consents").json()["results"] == [shown]
    said = {"category": "sale", "state": "denied"}
    assert post(writer, who, "consents", json.dumps(said).encode()).status_code == 201
    consents = writer.get(f"/api/v1/contacts/{who.public_id}").json()["consents"]
    assert consents == {"marketing": {"news": "granted"}, "sale": "denied"}


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"category": "marketing"},
        {"category": "marketing", "state": "maybe"},
        {"category": "gossip", "state": "denied"},
        {"category": "tracking", "topic": "news", "state": "denied"},
        {"category": "marketing", "topic": "", "state": "denied"},
        {"category": "marketing", "topic": "x" * 256, "state": "denied"},
        {"category": "marketing", "state": "denied", "evidence": "yes"},
        {"category": "marketing", "topic": "n\u0000", "state": "denied"},
    ],
)
def test_what_is_no_consent_is_refused(writer, said):
    who = making.contact()
    answer = post(writer, who, "consents", json.dumps(said).encode())
    assert answer.status_code == 400 and answer["Content-Type"] == "application/problem+json"
    assert not ConsentRecord.objects.exists()


def test_an_upsert_may_say_all_four_categories(writer):
    consents = {"tracking": "denied", "marketing": {"sms": "denied"}, "data_processing": "granted", "sale": "denied"}
    said = json.dumps({"email": "ada@example.com", "consents": consents}).encode()
    answer = writer.call("POST", "/api/v1/contacts", said)
    assert answer.status_code == 201 and answer.json()["consents"] == consents


def test_the_command_asks_before_it_erases(monkeypatch):
    who = making.contact()
    name = str(who.public_id)
    monkeypatch.setattr("builtins.input", lambda: "no")
    with pytest.raises(CommandError, match="Nothing"):
        call_command("erase_contact", name)
    assert Contact.objects.get().erased_at is None
    monkeypatch.setattr("builtins.input", lambda: "erase")
    call_command("erase_contact", name)
    assert Contact.objects.get().erased_at is not None
    with pytest.raises(CommandError, match="no such contact"):
        call_command("erase_contact", name, yes=True)


def test_people_of_a_forbidden_region_are_refused_and_counted(writer, settings):
    from contacts import clock, tallies

    settings.RESIDENCY_ALLOWED = ["EU", "CH"]
    people = [{"email": f"{region}@example.com", "region": region} for region in ("eu", "CH", "US")]
    answer = writer.call("POST", "/api/v1/contacts/bulk", json.dumps({"contacts": people}).encode()).json()
    assert answer["created"] == 2
    assert [(each["index"], each["errors"][0]["code"]) for each in answer["rejected"]] == [(2, "residency")]
    assert writer.call("POST", "/api/v1/contacts", json.dumps(people[2]).encode()).status_code == 400
    now = clock.now()
    counted = [each for each in tallies.hours(now, now) if each.source == "contacts"]
    assert {each.outcome for each in counted} == {"rejected:residency"}
    assert sum(each.amount for each in counted) == 2
