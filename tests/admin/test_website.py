"""Website tracking: the lines to copy, the key in them, the proof of identity, and the light."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import timedelta

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from contacts import access, clock, events
from contacts.collect import identity_secrets, write_keys
from contacts.events import Identifiers, NewEvent
from contacts.models import ApiKey

PAGE = reverse("admin:contacts_website")
LIGHT = reverse("admin:contacts_website_light")


def make_key(name: str = "shop") -> ApiKey:
    with transaction.atomic():
        key = write_keys.create_write_key(name=name, kind="browser", now=clock.now())
    return ApiKey.objects.get(public_key=key)


def look(client, key: ApiKey) -> dict[str, str]:
    return client.get(LIGHT, {"key": key.pk}).json()


def test_the_first_website_gets_a_key_and_its_lines(maya, settings):
    settings.PUBLIC_URL = "https://bells.example.com"
    ApiKey.objects.all().delete()
    assert b"Which website do you want to follow?" in maya.get(PAGE).content
    answer = maya.post(PAGE, {"name": "www.example.com", "origins": "https://www.example.com, "}, follow=True)
    key = ApiKey.objects.get()
    assert (key.kind, key.allowed_origins) == ("browser", ["https://www.example.com"])
    assert access.find_key(key.public_key).id == key.pk
    lines = f"&lt;script async src=&quot;https://bells.example.com/t.js&quot; data-key=&quot;{key.public_key}&quot;&gt;"
    assert lines in answer.content.decode()


def test_an_origin_that_is_none_is_told_at_its_field(maya):
    answer = maya.post(PAGE, {"name": "shop", "origins": "www.example.com"})
    assert b"is no origin" in answer.content
    assert not ApiKey.objects.filter(name="shop").exists()


def test_the_key_of_a_page_is_kept_and_no_other(db):
    with transaction.atomic():
        now = clock.now()
        access.create_key(name="api", kind="secret", scopes=["admin"], now=now)
        write_keys.create_write_key(name="server", kind="server", now=now)
        browser = write_keys.create_write_key(name="browser", kind="browser", now=now)
    assert dict(ApiKey.objects.values_list("name", "public_key")) == {"api": "", "server": "", "browser": browser}


def test_each_website_has_its_own_lines_and_what_is_revoked_has_none(maya):
    one, two, gone = make_key("one"), make_key("two"), make_key("gone")
    ApiKey.objects.filter(pk=gone.pk).update(revoked_at=timezone.now())
    newest, chosen = (maya.get(PAGE, query).content.decode() for query in ({}, {"key": one.pk}))
    assert two.public_key in newest and one.public_key not in newest
    assert one.public_key in chosen and two.public_key not in chosen
    for nothing in (gone.pk, 999_999, "x"):
        assert maya.get(PAGE, {"key": nothing}).status_code == 404
        assert maya.get(LIGHT, {"key": nothing}).status_code == 404


def test_the_light_waits_turns_green_and_goes_quiet(maya):
    key = make_key()
    assert look(maya, key)["state"] == "waiting"
    with transaction.atomic():
        now = clock.now()
        visit = NewEvent("quote_requested", None, Identifiers(anonymous_id="a1"), {}, {})
        events.record_batch([visit], source="browser", now=now, tracking_default="denied")
        other = NewEvent("order_packed", None, Identifiers(external_id="b1"), {}, {})
        events.record_batch([other], source="api", now=now)
        write_keys.note_event(access.find_key(key.public_key), now)
    seen = look(maya, key)
    assert seen["state"] == "seen"
    assert f"quote_requested, {now:%H:%M:%S} UTC, stored without tracking consent" in seen["detail"]
    ApiKey.objects.filter(pk=key.pk).update(last_event_at=now - timedelta(hours=1))
    assert look(maya, key)["state"] == "quiet"


def test_the_identity_secret_is_shown_once_and_proves_what_the_examples_compute(maya):
    key = make_key()
    answer = maya.post(reverse("admin:contacts_website_secret", args=[key.pk]))
    assert "no-store" in answer["Cache-Control"]
    secret = re.search(r'id="identity-secret">([^<]+)<', answer.content.decode())[1]
    assert secret not in maya.get(PAGE, {"key": key.pk}).content.decode()
    stored = ApiKey.objects.get(pk=key.pk).identity_secret
    assert secret not in stored and identity_secrets.opened(stored) == secret
    user_hash = hmac.new(secret.encode(), b"42", hashlib.sha256).hexdigest()
    assert write_keys.proves(access.find_key(key.public_key), "42", user_hash)


@pytest.mark.parametrize("made", ["server", "revoked"])
def test_only_the_living_key_of_a_website_gets_a_secret(maya, made):
    key = make_key()
    change = {"kind": "server"} if made == "server" else {"revoked_at": timezone.now()}
    ApiKey.objects.filter(pk=key.pk).update(**change)
    assert maya.post(reverse("admin:contacts_website_secret", args=[key.pk])).status_code == 404
    assert maya.get(reverse("admin:contacts_website_secret", args=[key.pk])).status_code == 403


def test_whoever_may_only_look_changes_nothing(staff):
    key = make_key()
    looker = staff("contacts.view_apikey")
    page = looker.get(PAGE)
    assert (
        page.status_code == 200
        and b"Make its key" not in page.content
        and b"identity secret</button>" not in (page.content)
    )
    assert looker.post(PAGE, {"name": "another"}).status_code == 403
    assert looker.post(reverse("admin:contacts_website_secret", args=[key.pk])).status_code == 403
    nobody = staff("contacts.view_contact")
    assert nobody.get(PAGE).status_code == nobody.get(LIGHT, {"key": key.pk}).status_code == 403
