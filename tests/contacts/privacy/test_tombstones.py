"""A tombstone knows a name without being able to say it, and only with the key that it was made with."""

from __future__ import annotations

import hashlib

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from config.checks import erased_people_are_known
from contacts import clock
from contacts.models import ErasedIdentity
from contacts.privacy import tombstones
from delivery import addresses, suppression
from delivery.models import Address, Suppression
from tests.delivery import making

pytestmark = pytest.mark.django_db

NAME = ("email", "ada@example.com")


def test_every_spelling_of_the_name_is_known_and_no_other_name(now):
    assert tombstones.write([NAME, ("external_id", "7")], now=now) == 2
    assert tombstones.write([NAME], now=now) == 0
    assert tombstones.erased_at("email", " ADA@Example.COM ") == now
    assert tombstones.is_erased("external_id", "7")
    for kind, value in (("external_id", "ada@example.com"), ("email", "bob@example.com"), ("email", "")):
        assert not tombstones.is_erased(kind, value)


def test_who_has_the_database_alone_cannot_try_names_out(now):
    tombstones.write([NAME], now=now)
    stored = bytes(ErasedIdentity.objects.get().key_hash)
    guesses = [f"{kind}{value}" for kind in ("", "email:") for value in (NAME[1], NAME[1].upper())]
    digests = {
        getattr(hashlib, name)(guess.encode()).digest() for guess in guesses for name in ("md5", "sha256", "sha1")
    }
    assert stored not in digests and NAME[1].encode() not in stored


def test_another_key_knows_nobody_and_the_installation_refuses_to_go_on_with_it(now, settings):
    tombstones.write([NAME], now=now)
    assert erased_people_are_known(databases=["default"]) == []
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another-key"
    assert not tombstones.is_erased(*NAME)
    assert [each.id for each in run_checks(tags=["database"], databases=["default"])] == ["carillon.E031"]
    with pytest.raises(SystemCheckError, match="E031"):
        call_command("prepare")
    settings.SECRET_KEY_FALLBACKS = [old]
    assert tombstones.is_erased(*NAME)
    assert erased_people_are_known(databases=["default"]) == []


def test_a_key_of_its_own_can_be_given_later_and_changed(now, settings):
    tombstones.write([NAME], now=now)
    settings.PRIVACY_KEY = "first"
    tombstones.write([("email", "bob@example.com")], now=now)
    settings.PRIVACY_KEY, settings.PRIVACY_KEY_FALLBACKS = "second", ["first"]
    assert tombstones.is_erased(*NAME) and tombstones.is_erased("email", "bob@example.com")
    assert erased_people_are_known(databases=["default"]) == []
    settings.PRIVACY_KEY_FALLBACKS = []
    assert len(erased_people_are_known(databases=["default"])) == 1


def test_without_a_database_nothing_is_checked(now, settings):
    tombstones.write([NAME], now=now)
    settings.SECRET_KEY = "another-key"
    assert erased_people_are_known(databases=None) == []


# -- the addresses of the post office ----------------------------------------------------------------------------------


def rows(*given: str) -> dict[str, int]:
    return addresses.rows(channel="email", given=given, now=clock.now())


def test_a_forgotten_address_is_the_same_row_under_a_name_that_only_we_can_make(settings):
    before = rows("Ada@Example.com", "bob@example.com")
    plain = addresses.key("email", "ada@example.com")
    assert addresses.forget(channel="email", given=["ADA@example.com", "nobody@example.com"]) == 1
    row = Address.objects.get(pk=before["Ada@Example.com"])
    assert row.shown == "" and bytes(row.key_hash) != plain
    settings.PRIVACY_KEY = "a later key"  # the one it was made with is still tried
    assert rows("ada@EXAMPLE.com", "bob@example.com", "new@example.com")["ada@EXAMPLE.com"] == row.pk
    assert Address.objects.count() == 3
    assert addresses.forget(channel="email", given=["ada@example.com"]) == 0


def test_an_address_is_suppressed_the_same_before_and_after_it_was_forgotten():
    first, second = making.contact("ada@example.com"), making.contact("Ada@example.com")
    making.message(first.pk)
    making.deliver()
    address = rows("ada@example.com")["ada@example.com"]
    suppression.record([suppression.NewSuppression(address, "email", "unsubscribe", "page")], now=clock.now())
    addresses.forget(channel="email", given=["ada@example.com"])
    message = making.message(second.pk)
    making.deliver()
    assert making.state(message) == "suppressed:unsubscribe"
    assert suppression.release(channel="email", address="ADA@example.com", by="test", now=clock.now()) == 1
    assert Suppression.objects.get().released_at is not None
