"""Who may not see personal data reads masked addresses and names, wherever a page shows a contact."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from config import roles
from contacts import authority, personal
from contacts.models import Contact

MOST_PAGES = 220
_LINK = re.compile(r'(?:href|hx-get|data-url)="([^"#]+)"')
_NUMBER = re.compile(r"\d+|[0-9a-f]{8}-[0-9a-f-]{27}")
_LOOKED_AT_ONCE = 3  # pages of one kind: the tenth contact's page is made by the same templates as the first


def in_role(name: str) -> Client:
    roles.make()
    user = User.objects.create_user(f"the {name.lower()}", is_staff=True)
    user.groups.add(Group.objects.get(name=name))
    client = Client()
    client.force_login(user)
    return client


def pages(client: Client, *starts: str):
    """(address, text) of every page of the admin that this person comes to by following links."""
    waiting, seen, kinds = list(starts), set(starts), {}
    while waiting and len(seen) < MOST_PAGES:
        address = waiting.pop(0)
        answer = client.get(address)
        if answer.status_code != 200 or answer.streaming:
            continue
        text = answer.content.decode(errors="replace")
        yield address, text
        for found in _LINK.findall(text):
            to = urljoin(address, found.replace("&amp;", "&"))
            kind = _NUMBER.sub("*", urlsplit(to).path)
            if not to.startswith("/admin/") or "logout" in to or to in seen or kinds.get(kind, 0) >= _LOOKED_AT_ONCE:
                continue
            kinds[kind] = kinds.get(kind, 0) + 1
            seen.add(to)
            waiting.append(to)


def secrets_of_people() -> set[str]:
    """Addresses, and whole names, that belong to contacts."""
    told = set()
    for contact in Contact.objects.all():
        told |= {contact.email, contact.phone}
        known = contact.attributes
        if known.get("first_name") and known.get("last_name"):
            told.add(f"{known['first_name']} {known['last_name']}")
    return {each for each in told if len(each) > 5}


@pytest.mark.parametrize("role", ["Analyst", "Marketer", "Delivery operations"])
def test_no_page_that_they_come_to_shows_an_address_or_a_name(role, town):
    told, looked = secrets_of_people(), 0
    starts = [reverse("admin:index"), reverse("admin:contacts_contact_change", args=[town.ana.pk])]
    leaks = {}
    for address, text in pages(in_role(role), *starts):
        looked += 1
        if found := {each for each in told if each in text}:
            leaks[address] = sorted(found)[:3]
    assert leaks == {}
    assert looked > 15


def test_the_lead_reads_what_the_analyst_does_not(town):
    page = reverse("admin:contacts_contact_change", args=[town.ana.pk])
    assert town.ana.email in in_role("Marketing lead").get(page).content.decode()
    masked = in_role("Analyst").get(page).content.decode()
    assert town.ana.email not in masked
    assert f"{town.ana.email[0]}…@{town.ana.email.split('@')[1]}" in masked


def test_an_address_cannot_be_found_out_letter_by_letter(town):
    contacts = reverse("admin:contacts_contact_changelist")
    analyst, lead = in_role("Analyst"), in_role("Marketing lead")
    row = reverse("admin:contacts_contact_change", args=[town.ana.pk])
    assert row in lead.get(contacts, {"q": town.ana.email[:4]}).content.decode()
    assert row not in analyst.get(contacts, {"q": town.ana.email[:4]}).content.decode()
    assert row in analyst.get(contacts, {"q": town.ana.email}).content.decode()


def test_contacts_are_taken_away_as_a_file_only_by_who_sees_them(staff, town):
    asked = reverse("admin:contacts_export")
    assert staff("contacts.export_contacts").post(asked, {"as": "csv"}).status_code == 403
    both = staff("contacts.export_contacts", "contacts.see_personal_data")
    assert town.ana.email in both.post(asked, {"as": "csv"}).getvalue().decode()


def test_a_file_that_is_written_while_it_is_sent_is_masked_too(staff, town):
    may = ("scoring.view_scorecrossing", "contacts.export_contacts")
    asked = reverse("admin:scoring_leaderboard_export")
    whole = staff(*may, "contacts.see_personal_data").get(asked)
    masked = staff(*may).get(asked)
    assert "@" in whole.getvalue().decode()
    assert not re.search(r"[^\s,…]{2,}@", masked.getvalue().decode())


@pytest.mark.parametrize(
    ("whole", "shown"),
    [
        ("anna@example.com", "a…@example.com"),
        ("Call anna.b+c@example.com, or +49 151 2345678.", "Call a…@example.com, or +49…."),
        ("https://shop.example/?mail=anna@example.com&x=1", "https://shop.example/?mail=a…@example.com&x=1"),
        ("customer-1042", "customer-1042"),
        ("2026-11-22T17:00:00+00:00", "2026-11-22T17:00:00+00:00"),
        ("", ""),
    ],
)
def test_a_text_is_masked_where_it_holds_an_address_or_a_number(whole, shown):
    assert personal.masked(whole) == shown


def test_what_is_personal_by_its_name_is_masked_in_depth(settings):
    settings.PERSONAL_ATTRIBUTES = ["nickname"]
    stored = {
        "first_name": "Anna", "plan": "pro", "age": 41, "phone": 49151, "nickname": "Änne", "gone": None,
        "order": {"email": "anna@example.com", "street": "Long Street 1", "items": [{"name": "Anna's mug", "n": 2}]},
    }  # fmt: skip
    with authority.asking(lambda: authority.NOBODY):
        assert personal.facts(stored) == {
            "first_name": "A…", "plan": "pro", "age": 41, "phone": "…", "nickname": "Ä…", "gone": None,
            "order": {"email": "a…@example.com", "street": "L… S… 1…", "items": [{"name": "A… m…", "n": 2}]},
        }  # fmt: skip
    assert personal.facts(stored) is stored  # nobody asks: a worker sees all
