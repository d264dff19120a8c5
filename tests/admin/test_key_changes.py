"""The page of a key changes its secret, its limit and its owner; programs have a page of their own."""

from __future__ import annotations

import pytest
from django.urls import reverse

from contacts import access, clock, service_accounts
from contacts.models import ApiKey, ServiceAccount

ACCOUNTS = "admin:contacts_apikey_accounts"


@pytest.fixture
def key(town) -> str:
    return access.create_key(name="Orders", kind="secret", scopes=["contacts:read"], now=clock.now())


def row_of(key: str) -> ApiKey:
    return ApiKey.objects.get(prefix=key.rpartition("_")[0])


def page_of(client, key: str) -> str:
    return client.get(reverse("admin:contacts_apikey_change", args=[row_of(key).pk])).content.decode()


def test_a_new_secret_is_shown_once_and_both_open_until_the_overlap_is_ended(maya, key):
    row = row_of(key)
    answer = maya.post(reverse("admin:contacts_apikey_rotate", args=[row.pk]), {"overlap": "3600"})
    new = answer.context["key"]
    assert new in answer.content.decode() and "no-store" in answer["Cache-Control"]
    assert access.find_key(key) == access.find_key(new)
    page = page_of(maya, new)
    assert "Two secrets" in page and "Former secret opens until" in page and "Rotate the secret" not in page
    assert new not in page
    refused = maya.post(reverse("admin:contacts_apikey_rotate", args=[row.pk]), {"overlap": "0"}, follow=True)
    assert "its former secret still opens" in refused.content.decode()
    maya.post(reverse("admin:contacts_apikey_end_overlap", args=[row.pk]))
    assert access.find_key(key) is None and access.find_key(new) is not None
    assert "Rotate the secret" in page_of(maya, new)


@pytest.mark.parametrize("overlap", ["", "7", "-1", "1e9"])
def test_the_overlap_is_one_of_those_that_are_offered(maya, key, overlap):
    url = reverse("admin:contacts_apikey_rotate", args=[row_of(key).pk])
    assert maya.post(url, {"overlap": overlap}).status_code == 403
    assert access.find_key(key) is not None


def test_limit_and_account_are_changed_on_the_page(maya, key, now):
    account = service_accounts.add(name="Shop", now=now)
    url = reverse("admin:contacts_apikey_give", args=[row_of(key).pk])
    maya.post(url, {"limit": "90", "account": account})
    assert (row_of(key).requests_per_minute, row_of(key).service_account_id) == (90, account)
    assert "90 requests a minute" in page_of(maya, key)
    assert "greater than or equal to 1" in maya.post(url, {"limit": "0", "account": ""}).content.decode()
    maya.post(url, {"limit": "", "account": ""})
    assert (row_of(key).requests_per_minute, row_of(key).service_account_id) == (None, None)


def test_a_key_is_made_for_an_account_with_a_limit(maya, now, town):
    account = service_accounts.add(name="Shop", now=now)
    form = maya.get(reverse("admin:contacts_apikey_add"), {"account": account}).context["form"]
    assert form["account"].value() == str(account)
    data = {"name": "A", "kind": "secret", "scopes": ["admin"], "limit": "10", "account": account}
    key = maya.post(reverse("admin:contacts_apikey_add"), data).context["key"]
    assert (row_of(key).requests_per_minute, row_of(key).service_account_id) == (10, account)


def test_a_program_is_added_given_away_disabled_and_enabled(maya, town, key):
    maya.post(reverse(ACCOUNTS), {"name": "Shop", "description": "Orders", "owner": town.superuser.pk})
    account = ServiceAccount.objects.get()
    assert account.owner == town.superuser
    maya.post(reverse("admin:contacts_apikey_give", args=[row_of(key).pk]), {"limit": "", "account": account.pk})
    access.find_key(key)
    page = maya.get(reverse(ACCOUNTS)).content.decode()
    assert row_of(key).prefix in page and f"{row_of(key).last_used_at:%H:%M}" in page
    maya.post(reverse("admin:contacts_apikey_account_owner", args=[account.pk]), {"owner": ""})
    assert ServiceAccount.objects.get().owner is None
    maya.post(reverse("admin:contacts_apikey_account_disable", args=[account.pk]))
    assert access.find_key(key) is None
    assert "Account disabled" in page_of(maya, key)
    maya.post(reverse("admin:contacts_apikey_account_enable", args=[account.pk]))
    assert access.find_key(key) is not None


def test_what_cannot_be_is_said_on_the_page(maya, town, now):
    service_accounts.add(name="Shop", now=now)
    assert "already" in maya.post(reverse(ACCOUNTS), {"name": "Shop"}).content.decode()
    pk = ServiceAccount.objects.get().pk
    url = reverse("admin:contacts_apikey_account_owner", args=[pk])
    assert "nobody of the staff" in maya.post(url, {"owner": "mallory"}, follow=True).content.decode()


def test_who_may_only_look_changes_nothing(staff, key, now):
    account = service_accounts.add(name="Shop", now=now)
    reader = staff("contacts.view_apikey")
    assert "New service account" not in reader.get(reverse(ACCOUNTS)).content.decode()
    assert "Rotate the secret" not in page_of(reader, key)
    pk = row_of(key).pk
    posts = [
        (ACCOUNTS, [], {"name": "x"}),
        *((f"admin:contacts_apikey_account_{deed}", [account], {}) for deed in ("disable", "enable", "owner")),
        ("admin:contacts_apikey_rotate", [pk], {"overlap": "0"}),
        ("admin:contacts_apikey_end_overlap", [pk], {}),
        ("admin:contacts_apikey_give", [pk], {"limit": "1"}),
    ]
    for name, args, data in posts:
        assert reader.post(reverse(name, args=args), data).status_code == 403
    assert staff("contacts.view_contact").get(reverse(ACCOUNTS)).status_code == 403
    assert access.find_key(key) is not None and not ServiceAccount.objects.filter(name="x").exists()


def test_the_page_costs_the_same_for_many_programs(maya, town, now, django_assert_max_num_queries):
    for number in range(30):
        account = service_accounts.add(name=f"Program {number}", now=now)
        for _ in range(2):
            access.create_key(name="k", kind="secret", scopes=["admin"], now=now, service_account=account)
    with django_assert_max_num_queries(25):
        assert maya.get(reverse(ACCOUNTS)).status_code == 200
