"""Identity secrets lie sealed, are read under an earlier key, and can be sealed anew."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from contacts import access
from contacts.collect import identity_secrets, write_keys
from contacts.models import ApiKey

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, tzinfo=UTC)


@pytest.fixture
def key() -> ApiKey:
    made = write_keys.create_write_key(name="Website", kind="browser", origins=[], now=NOW)
    return ApiKey.objects.get(public_key=made)


def proves(key: ApiKey, secret: str) -> bool:
    proof = hmac.new(secret.encode(), b"42", hashlib.sha256).hexdigest()
    return write_keys.proves(access.find_key(key.public_key), "42", proof)


def stored(key: ApiKey) -> str:
    return ApiKey.objects.get(pk=key.pk).identity_secret


def test_the_secret_is_not_in_the_table_and_proves(key):
    secret = write_keys.renew_identity_secret(key.pk)
    assert secret not in stored(key) and identity_secrets.opened(stored(key)) == secret
    assert proves(key, secret) and not proves(key, "another")
    write_keys.drop_identity_secret(key.pk)
    assert stored(key) == ""


def test_one_that_was_made_before_they_were_sealed_proves_and_is_sealed_by_the_command(key):
    ApiKey.objects.filter(pk=key.pk).update(identity_secret="in plain sight")
    assert proves(key, "in plain sight")
    call_command("reseal_secrets", dry_run=True)
    assert stored(key) == "in plain sight"
    call_command("reseal_secrets")
    assert "plain" not in stored(key) and proves(key, "in plain sight")


def test_under_another_key_it_proves_nothing_until_the_earlier_one_is_named(key, settings):
    secret, earlier = write_keys.renew_identity_secret(key.pk), settings.SECRET_KEY
    settings.SECRET_KEY = "another"
    assert not proves(key, secret)
    with pytest.raises(CommandError, match=key.prefix):
        call_command("reseal_secrets")
    settings.SECRET_KEY_FALLBACKS = [earlier]
    assert proves(key, secret)
    call_command("reseal_secrets")
    settings.SECRET_KEY_FALLBACKS = []
    assert proves(key, secret)
