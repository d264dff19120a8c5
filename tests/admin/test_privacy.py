"""The pages behind a person's rights: they ask first, follow permissions, and say afterwards what was done."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from django.db import transaction
from django.urls import reverse

from contacts import clock, identity
from contacts.identifiers import Identifiers
from contacts.models import ConsentRecord, Contact, OptInRequest, PrivacyDeed

DEEDS = {
    "erase": "contacts.erase_contact",
    "export": "contacts.export_contact",
    "restrict": "contacts.restrict_contact",
    "opt_in": "contacts.change_contact",
}


def page(deed: str, who: Contact) -> str:
    return reverse(f"admin:contacts_contact_{deed}", args=[who.pk])


@pytest.mark.parametrize("deed", DEEDS)
def test_looking_does_nothing_and_only_who_may_may_look(staff, maya, town, deed):
    assert maya.get(page(deed, town.ana)).status_code == 200
    assert staff("contacts.view_contact", DEEDS[deed]).get(page(deed, town.ana)).status_code == 200
    others = [permission for permission in set(DEEDS.values()) if permission != DEEDS[deed]]
    stranger = staff("contacts.view_contact", *others)
    assert stranger.get(page(deed, town.ana)).status_code == 403
    assert stranger.post(page(deed, town.ana), {"name": str(town.ana), "deed": "restrict"}).status_code == 403
    assert not PrivacyDeed.objects.exists() and not OptInRequest.objects.exists()


def test_a_person_is_erased_when_their_name_was_typed_and_not_before(maya, town):
    answer = maya.post(page("erase", town.ana), {"name": "somebody else"})
    assert answer.status_code == 200 and "not what is written above" in answer.content.decode()
    town.ana.refresh_from_db()
    assert town.ana.erased_at is None
    answer = maya.post(page("erase", town.ana), {"name": f" {str(town.ana).upper()} "})
    assert answer.status_code == 302
    name = str(town.ana)
    town.ana.refresh_from_db()
    assert town.ana.erased_at is not None
    assert PrivacyDeed.objects.get(contact_id=town.ana.pk).actor == f"staff:{town.superuser.username}"
    after = maya.get(answer["Location"]).content.decode()
    assert "was erased" in after and name not in after
    assert maya.get(page("erase", town.ana)).status_code == 404


@pytest.mark.parametrize("form", ["zip", "json"])
def test_the_export_is_a_file(maya, town, form):
    answer = maya.post(page("export", town.ana), {"form": form})
    body = b"".join(answer.streaming_content)
    if form == "zip":
        body = zipfile.ZipFile(io.BytesIO(body)).read("export.json")
    assert json.loads(body)["tables"][0]["rows"][0]["email"] == town.ana.email
    assert f"contact-{town.ana.public_id}.{form}" in answer["Content-Disposition"]


def test_restricting_is_said_and_taken_back(maya, town):
    assert maya.post(page("restrict", town.ana), {"deed": "restrict"}).status_code == 302
    assert "It is restricted now" in maya.get(page("restrict", town.ana)).content.decode()
    assert maya.post(page("restrict", town.ana), {"deed": "unrestrict"}).status_code == 302
    said = ConsentRecord.objects.filter(contact_id=town.ana.pk, category="data_processing").order_by("id")
    assert [row.state for row in said] == ["denied", "granted"]


def test_the_question_is_sent_for_the_topics_that_were_named(maya, town):
    assert maya.post(page("opt_in", town.ana), {"topics": "news, offers"}).status_code == 302
    asked = OptInRequest.objects.get()
    assert asked.topics == ["news", "offers"]
    assert asked.evidence["asked"] == {"form": "admin", "asked_by": town.superuser.username, "source": "admin"}


def test_the_list_shows_who_did_what_to_whom(maya, town):
    maya.post(page("restrict", town.ana), {"deed": "restrict"})
    shown = maya.get(reverse("admin:contacts_privacydeed_changelist")).content.decode()
    assert "Restricted" in shown and str(town.ana) in shown and town.superuser.username in shown


def test_the_contacts_page_offers_what_one_may(maya, staff, town):
    contact = reverse("admin:contacts_contact_change", args=[town.ana.pk])
    assert all(page(deed, town.ana) in maya.get(contact).content.decode() for deed in DEEDS)
    shown = staff("contacts.view_contact", "contacts.export_contact").get(contact).content.decode()
    assert page("export", town.ana) in shown and page("erase", town.ana) not in shown


def test_who_is_new_under_the_name_of_an_erased_person_is_shown_as_such(maya, town):
    assert (
        "Erased before" not in maya.get(reverse("admin:contacts_contact_change", args=[town.ana.pk])).content.decode()
    )
    email = town.ana.email
    maya.post(page("erase", town.ana), {"name": str(town.ana)})
    with transaction.atomic():
        (again,) = identity.resolve([Identifiers(email=email)], source="api", now=clock.now()).contact_ids
    shown = maya.get(reverse("admin:contacts_contact_change", args=[again])).content.decode()
    assert "Somebody with this" in shown
