"""Secrets that are exchanged with an overlap, limits of a key, and programs that own keys."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from contacts import access, authority, clock, key_rotation, service_accounts
from contacts.models import ApiKey, AuditEntry, ServiceAccount
from tests.contacts.conftest import make_key

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def rotated(key: str, overlap: timedelta = DAY) -> str:
    return key_rotation.rotate(row_of(key).pk, overlap=overlap, now=clock.now())


def row_of(key: str) -> ApiKey:
    return ApiKey.objects.get(prefix=key.rpartition("_")[0])


def opens(key: str) -> bool:
    return access.find_key(key) is not None


# -- rotation ----------------------------------------------------------------------------------------------------------


def test_during_the_overlap_both_secrets_open_the_same_key():
    old = make_key("contacts:read")
    before = access.find_key(old)
    new = rotated(old)
    assert new != old
    assert access.find_key(new) == access.find_key(old) == before


def test_after_the_overlap_only_the_new_secret_opens():
    old = make_key("contacts:read")
    new = rotated(old)
    ApiKey.objects.update(former_until=clock.now() - timedelta(seconds=1))
    assert (opens(old), opens(new)) == (False, True)


def test_without_an_overlap_the_old_secret_is_refused_at_once():
    old = make_key("contacts:read")
    new = rotated(old, timedelta(0))
    assert (opens(old), opens(new)) == (False, True)
    assert ApiKey.objects.get().former_prefix is None


def test_the_overlap_can_be_ended_now():
    old = make_key("contacts:read")
    new = rotated(old)
    assert key_rotation.end_overlap(row_of(new).pk, now=clock.now())
    assert (opens(old), opens(new)) == (False, True)
    assert not key_rotation.end_overlap(row_of(new).pk, now=clock.now())


def test_a_second_rotation_waits_for_the_end_of_the_first():
    first = make_key("contacts:read")
    second = rotated(first)
    with pytest.raises(access.BadKeyRequest, match="still opens"):
        rotated(second)
    assert opens(first) and opens(second)
    key_rotation.end_overlap(row_of(second).pk, now=clock.now())
    third = rotated(second)
    assert [opens(key) for key in (first, second, third)] == [False, True, True]


def test_neither_secret_opens_with_the_prefix_of_the_other():
    old = make_key("contacts:read")
    new = rotated(old)
    (old_prefix, _, old_secret), (new_prefix, _, new_secret) = old.rpartition("_"), new.rpartition("_")
    assert not opens(f"{old_prefix}_{new_secret}")
    assert not opens(f"{new_prefix}_{old_secret}")


@pytest.mark.parametrize("column", ["revoked_at", "expires_at"])
def test_a_key_that_is_over_is_over_with_both_secrets_and_is_not_rotated(column):
    old = make_key("contacts:read")
    new = rotated(old)
    ApiKey.objects.update(**{column: clock.now() - timedelta(seconds=1)})
    assert not opens(old) and not opens(new)
    with pytest.raises(access.BadKeyRequest, match="revoked or has expired"):
        rotated(new)


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=91)])
def test_an_overlap_has_bounds(overlap):
    with pytest.raises(access.BadKeyRequest, match="90 days"):
        rotated(make_key("contacts:read"), overlap)


def test_who_still_shows_the_former_secret_is_seen():
    old = make_key("contacts:read")
    new = rotated(old)
    opens(new)
    assert row_of(new).former_used_at is None
    opens(old)
    row = row_of(new)
    assert row.former_used_at is not None and row.last_used_at == row.former_used_at


def test_the_key_of_a_page_is_kept_whole_after_a_rotation_too():
    new = rotated(make_key(kind="browser"))
    assert row_of(new).public_key == new


def test_a_copy_of_the_table_opens_nothing(now):
    """Every column as text, of keys of every kind and in every state: in none of them lies a secret key."""
    account = service_accounts.add(name="Shop", now=now)
    secret = access.create_key(name="s", kind="secret", scopes=["admin"], now=now, service_account=account)
    server = make_key(kind="server")
    keys = [secret, server, rotated(secret), rotated(server)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(k)::text, k::text FROM api_keys k")
        dump = "\n".join(text for row in cursor.fetchall() for text in row)
        cursor.execute("SELECT e::text FROM audit_entries e")
        dump += "\n".join(text for (text,) in cursor.fetchall())
    assert all(opens(key) for key in keys)
    for key in keys:
        assert key not in dump
        assert key.rpartition("_")[2] not in dump
        assert key.encode().hex() not in dump
        assert key.rpartition("_")[0] in dump  # the prefix is, so something was looked at


def test_a_key_is_found_by_indexes_whichever_secret_is_shown():
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO api_keys (name, prefix, key_hash, kind, scopes)"
            " SELECT 'x', 'mk_live_' || lpad(n::text, 8, '0'), int8send(n), 'secret', '{admin}'"
            " FROM generate_series(1, 3000) n"
        )
        cursor.execute("ANALYZE api_keys")
        cursor.execute(f"EXPLAIN {access._FIND}", {"prefix": "mk_live_00000007"})
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Seq Scan on api_keys" not in plan, plan


# -- limits ------------------------------------------------------------------------------------------------------------


def test_a_key_has_its_own_limit_which_can_be_changed(now):
    key = access.create_key(name="x", kind="secret", scopes=["admin"], now=now, requests_per_minute=60)
    assert access.find_key(key).requests_per_minute == 60
    key_rotation.give(row_of(key).pk, requests_per_minute=None, service_account=None, now=now)
    assert access.find_key(key).requests_per_minute is None
    assert AuditEntry.objects.get(what="api_key.changed").before == {"requests_per_minute": 60}


@pytest.mark.parametrize("limit", [0, -1, access.MOST_PER_MINUTE + 1])
def test_a_limit_that_is_none_is_refused(now, limit):
    with pytest.raises(access.BadKeyRequest, match="requests a minute"):
        access.create_key(name="x", kind="secret", scopes=["admin"], now=now, requests_per_minute=limit)


# -- service accounts --------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(now) -> int:
    User.objects.create_user("ada", is_staff=True)
    return service_accounts.add(name="Shop", description="Orders", owner="ada", now=now)


def test_all_keys_of_a_disabled_account_are_refused_at_once_and_open_again(shop, now, client):
    keys = [
        access.create_key(name=n, kind="secret", scopes=["contacts:read"], now=now, service_account=shop) for n in "ab"
    ]
    keys.append(rotated(keys[0]))
    other = make_key("contacts:read")
    assert all(map(opens, keys))
    assert service_accounts.disable(shop, now=now)
    assert not any(map(opens, keys)) and opens(other)
    answer = client.get("/api/v1/contacts/", headers={"Authorization": f"Bearer {keys[1]}"})
    assert answer.status_code == 401
    assert service_accounts.enable(shop)
    assert all(map(opens, keys))


def test_enabling_brings_back_no_key_that_was_revoked(shop, now):
    key = access.create_key(name="a", kind="secret", scopes=["admin"], now=now, service_account=shop)
    service_accounts.disable(shop, now=now)
    access.revoke(row_of(key).pk, now=now)
    service_accounts.enable(shop)
    assert not opens(key)


def test_a_disabled_account_gets_no_key_neither_new_nor_moved(shop, now):
    key = make_key("contacts:read")
    service_accounts.disable(shop, now=now)
    with pytest.raises(access.BadKeyRequest, match="Shop is disabled"):
        access.create_key(name="a", kind="secret", scopes=["admin"], now=now, service_account=shop)
    with pytest.raises(access.BadKeyRequest, match="Shop is disabled"):
        key_rotation.give(row_of(key).pk, requests_per_minute=None, service_account=shop, now=now)
    with pytest.raises(access.BadKeyRequest, match="no such service account"):
        access.create_key(name="a", kind="secret", scopes=["admin"], now=now, service_account=shop + 999)


def test_an_account_outlives_the_login_of_its_owner(shop):
    User.objects.get(username="ada").delete()
    account = ServiceAccount.objects.get()
    assert (account.owner_id, account.disabled_at) == (None, None)


def test_two_accounts_never_share_a_name_and_the_transaction_goes_on(shop, now):
    with pytest.raises(service_accounts.BadAccount, match="already"):
        service_accounts.add(name=" Shop ", now=now)
    assert ServiceAccount.objects.count() == 1


@pytest.mark.parametrize("asked", [{"name": " "}, {"name": "x" * 201}, {"name": "x", "owner": "nobody"}])
def test_an_account_that_makes_no_sense_is_not_made(now, asked):
    with pytest.raises(service_accounts.BadAccount):
        service_accounts.add(**asked, now=now)


def test_only_somebody_of_the_staff_answers_for_a_program(shop):
    User.objects.create_user("visitor")
    User.objects.create_user("gone", is_staff=True, is_active=False)
    User.objects.create_user("noa", is_staff=True)
    for name in ("visitor", "gone"):
        with pytest.raises(service_accounts.BadAccount, match="nobody of the staff"):
            service_accounts.change_owner(shop, owner=name)
    assert service_accounts.change_owner(shop, owner="noa")
    assert not service_accounts.change_owner(shop, owner="noa")
    assert ServiceAccount.objects.get().owner.username == "noa"


def test_every_deed_is_in_the_audit_log_and_none_that_did_nothing(shop, now):
    key = access.create_key(name="a", kind="secret", scopes=["admin"], now=now, service_account=shop)
    new = rotated(key)
    key_rotation.end_overlap(row_of(new).pk, now=clock.now())
    key_rotation.give(row_of(new).pk, requests_per_minute=5, service_account=None, now=now)
    key_rotation.give(row_of(new).pk, requests_per_minute=5, service_account=None, now=now)
    for _ in range(2):
        service_accounts.disable(shop, now=now)
    for _ in range(2):
        service_accounts.enable(shop)
    service_accounts.change_owner(shop, owner="")
    assert list(AuditEntry.objects.order_by("id").values_list("what", flat=True)) == [
        "service_account.created",
        "api_key.created",
        "api_key.rotated",
        "api_key.overlap_ended",
        "api_key.changed",
        "service_account.disabled",
        "service_account.enabled",
        "service_account.given",
    ]
    assert AuditEntry.objects.get(what="api_key.created").after["service_account"] == "Shop"


def test_whoever_may_not_change_keys_does_none_of_it(shop, now):
    key = row_of(make_key("contacts:read")).pk
    deeds = (
        lambda: key_rotation.rotate(key, overlap=DAY, now=now),
        lambda: key_rotation.end_overlap(key, now=now),
        lambda: key_rotation.give(key, requests_per_minute=1, service_account=None, now=now),
        lambda: service_accounts.add(name="x", now=now),
        lambda: service_accounts.disable(shop, now=now),
        lambda: service_accounts.enable(shop),
        lambda: service_accounts.change_owner(shop, owner=""),
    )
    for deed in deeds:
        with authority.asking(lambda: authority.NOBODY), pytest.raises(authority.NotAllowed):
            deed()


# -- commands ----------------------------------------------------------------------------------------------------------


def printed(*command: str) -> str:
    out = io.StringIO()
    call_command(*command, stdout=out)
    return out.getvalue().strip()


def test_a_key_is_made_with_all_that_it_can_have(shop):
    key = printed("create_api_key", "--name", "orders", "--scopes", "events:write", "--account", "Shop",
                  "--expires", "P30D", "--requests-per-minute", "120")  # fmt: skip
    row = row_of(key)
    assert (row.service_account_id, row.requests_per_minute) == (shop, 120)
    assert timedelta(days=29) < row.expires_at - clock.now() <= timedelta(days=30)


@pytest.mark.parametrize(
    "given", [("--account", "Nowhere"), ("--expires", "soon"), ("--expires", "PT0S"), ("--requests-per-minute", "0")]
)
def test_a_key_that_cannot_be_made_is_a_failed_command(given):
    with pytest.raises(CommandError):
        printed("create_api_key", "--name", "orders", "--scopes", "events:write", *given)
    assert not ApiKey.objects.exists()


def test_rotate_api_key_prints_the_new_key_alone():
    old = make_key("contacts:read")
    new = printed("rotate_api_key", old.rpartition("_")[0], "--overlap", "P7D")
    assert opens(old) and opens(new)
    assert timedelta(days=6) < row_of(new).former_until - clock.now() <= timedelta(days=7)
    assert printed("rotate_api_key", new.rpartition("_")[0], "--end-overlap") == ""
    assert not opens(old) and opens(new)
    with pytest.raises(CommandError, match="no key begins with"):
        printed("rotate_api_key", "mk_live_aaaaaaaa")


@pytest.mark.django_db(transaction=True)
def test_the_commands_open_the_transactions_that_their_entries_need(now):
    with transaction.atomic():
        service_accounts.add(name="Shop", now=now)
    key = printed("create_api_key", "--name", "orders", "--scopes", "events:write", "--account", "Shop")
    assert opens(printed("rotate_api_key", key.rpartition("_")[0]))
