"""Write keys in the admin: made with their limits, narrowed, freed of their secret."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.urls import reverse

from contacts import access, authority
from contacts.collect import write_keys
from contacts.models import ApiKey, AuditEntry
from tests.contacts.collect.segment import give_secret, key_row, make_write_key


def page(pk: int) -> str:
    return reverse("admin:contacts_apikey_change", args=[pk])


def test_a_key_is_made_with_its_limits(maya):
    said = {"name": "Web", "kind": "browser", "events": "page_viewed\r\n\r\nx", "origins": "https://Shop.example/"}
    answer = maya.post(reverse("admin:contacts_apikey_add"), said)
    key = access.find_key(answer.context["key"])
    assert (key.kind, key.allowed_events, key.allowed_origins) == (
        "browser",
        {"page_viewed", "x"},
        ("https://shop.example",),
    )


def test_a_limit_that_is_none_makes_no_key(maya):
    before = ApiKey.objects.count()
    for limit in ({"origins": "shop.example"}, {"events": "email_opened"}):
        answer = maya.post(reverse("admin:contacts_apikey_add"), {"name": "Web", "kind": "browser", **limit})
        assert "errorlist" in answer.content.decode()
    assert ApiKey.objects.count() == before


def test_a_key_is_narrowed_on_its_page(maya):
    row = key_row(make_write_key("browser"))
    form = maya.get(page(row.pk)).content.decode()
    assert "What it may do" in form
    url = reverse("admin:contacts_apikey_narrow", args=[row.pk])
    answer = maya.post(url, {"events": "page_viewed", "origins": "https://*.shop.example"}, follow=True)
    assert "https://*.shop.example" in answer.content.decode()
    row.refresh_from_db()
    assert (row.allowed_events, row.allowed_origins) == (["page_viewed"], ["https://*.shop.example"])
    wrong = maya.post(url, {"events": "", "origins": "nonsense"}).content.decode()
    assert "is no origin" in wrong
    assert "nonsense" in wrong
    row.refresh_from_db()
    assert row.allowed_events == ["page_viewed"]


def test_its_secret_is_nowhere_on_its_page_and_can_be_removed(maya):
    key = make_write_key("browser")
    secret, row = give_secret(key), key_row(key)
    assert secret not in maya.get(page(row.pk)).content.decode()
    maya.post(reverse("admin:contacts_apikey_drop_secret", args=[row.pk]))
    assert key_row(key).identity_secret == ""


@pytest.mark.parametrize("deed", ["narrow", "drop_secret"])
def test_who_may_only_look_changes_nothing(staff, deed):
    key = make_write_key("browser", events=["x"])
    give_secret(key)
    row = key_row(key)
    looker = staff("contacts.view_apikey")
    assert "What it may do" not in looker.get(page(row.pk)).content.decode()
    url = reverse(f"admin:contacts_apikey_{deed}", args=[row.pk])
    assert looker.post(url, {"events": "", "origins": ""}).status_code == 403
    assert staff("contacts.change_apikey", "contacts.view_apikey").get(url).status_code == 403
    assert (key_row(key).allowed_events, bool(key_row(key).identity_secret)) == (["x"], True)


def test_what_is_changed_about_it_stands_in_the_audit_log_and_no_secret_does(maya):
    row = key_row(make_write_key("browser", events=["x"], origins=["https://shop.example"]))
    narrowed = reverse("admin:contacts_apikey_narrow", args=[row.pk])
    for _ in range(2):  # the second time nothing changes
        maya.post(narrowed, {"events": "page_viewed", "origins": "https://shop.example"})
    answer = maya.post(reverse("admin:contacts_website_secret", args=[row.pk]))
    secret = answer.context["secret"]
    for _ in range(2):
        maya.post(reverse("admin:contacts_apikey_drop_secret", args=[row.pk]))
    entries = AuditEntry.objects.filter(object_type="api_key", object_id=row.prefix).exclude(what="api_key.created")
    assert [(each.what, each.actor, each.before, each.after) for each in entries.order_by("id")] == [
        ("api_key.changed", "maya", {"events": ["x"]}, {"events": ["page_viewed"]}),
        ("api_key.identity_secret_renewed", "maya", {"identity_secret": False}, {"identity_secret": True}),
        ("api_key.identity_secret_removed", "maya", {"identity_secret": True}, {"identity_secret": False}),
    ]
    assert len(secret) > 30
    assert not any(secret in str((each.before, each.after, each.object_name)) for each in entries)


@pytest.mark.django_db
def test_the_doors_of_a_write_key_ask_who_acts():
    row = key_row(make_write_key("browser", events=["x"]))
    deeds = (
        lambda: write_keys.narrow(row.pk, events=[], origins=[]),
        lambda: write_keys.renew_identity_secret(row.pk),
        lambda: write_keys.drop_identity_secret(row.pk),
    )
    for deed in deeds:
        with authority.asking(lambda: authority.NOBODY), pytest.raises(authority.NotAllowed), transaction.atomic():
            deed()
    row.refresh_from_db()
    assert (row.allowed_events, row.identity_secret) == (["x"], "")


def test_a_servers_key_cannot_be_narrowed(maya):
    row = key_row(make_write_key("server"))
    assert "What it may do" not in maya.get(page(row.pk)).content.decode()
    maya.post(reverse("admin:contacts_apikey_narrow", args=[row.pk]), {"events": "x", "origins": ""})
    row.refresh_from_db()
    assert row.allowed_events == []
    with pytest.raises(access.BadKeyRequest):
        make_write_key("server", events=["x"])


def test_a_proof_is_of_one_person_and_one_secret():
    key = access.Key(1, "k", "browser", frozenset(), identity_secret="s")
    proof = "5d9a6a1c1d1f0e5f"
    assert not write_keys.proves(key, "ada", proof)
    assert not write_keys.proves(access.Key(1, "k", "browser", frozenset()), "ada", "")
