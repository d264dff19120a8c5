"""Keys are shown once; suppressions and providers go through their doors; templates are never deleted."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from django.urls import reverse

from contacts import access, clock
from contacts.models import ApiKey
from contacts.pages.keys import KINDS, SCOPES
from delivery import wording
from delivery.models import Provider, Suppression, Template
from delivery.models.message import STATES
from delivery.webhooks import vocabulary


def test_a_key_is_shown_once_and_only_its_hash_is_kept(maya):
    answer = maya.post(
        reverse("admin:contacts_apikey_add"), {"name": "Warehouse", "kind": "secret", "scopes": ["contacts:read"]}
    )
    key = answer.context["key"]
    assert key in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    row = ApiKey.objects.get(name="Warehouse")
    assert bytes(row.key_hash) == hashlib.sha256(key.encode()).digest()
    for url in (
        reverse("admin:contacts_apikey_changelist"),
        reverse("admin:contacts_apikey_change", args=[row.pk]),
        reverse("admin:contacts_apikey_add"),
    ):
        page = maya.get(url).content.decode()
        assert key not in page
        assert row.key_hash.hex() not in page
    assert access.find_key(key).scopes == {"contacts:read"}
    maya.post(reverse("admin:contacts_apikey_revoke", args=[row.pk]))
    assert access.find_key(key) is None
    assert "Revoked" in maya.get(reverse("admin:contacts_apikey_change", args=[row.pk])).content.decode()


def test_a_secret_key_without_a_scope_is_not_made(maya):
    before = ApiKey.objects.count()
    answer = maya.post(reverse("admin:contacts_apikey_add"), {"name": "Nothing", "kind": "secret"})
    assert "choose at least one" in answer.content.decode()
    assert ApiKey.objects.count() == before


def test_a_write_key_has_the_one_scope_that_it_may_have(maya):
    maya.post(reverse("admin:contacts_apikey_add"), {"name": "Web", "kind": "browser", "scopes": ["admin"]})
    assert ApiKey.objects.get(name="Web").scopes == list(access.WRITE_KEY_SCOPES)


def test_a_key_may_end_by_itself_and_is_refused_from_then_on(maya):
    before = clock.now()
    page = maya.post(
        reverse("admin:contacts_apikey_add"),
        {"name": "Agency", "kind": "secret", "scopes": ["contacts:read"], "lifetime": "30"},
    )
    row = ApiKey.objects.get(name="Agency")
    assert before + timedelta(days=30) <= row.expires_at <= clock.now() + timedelta(days=30)
    assert f"{row.expires_at:%-d %b %Y, %H:%M}" in page.content.decode()
    assert access.find_key(page.context["key"]) is not None
    listed = reverse("admin:contacts_apikey_changelist")
    for ends, said in ((timedelta(days=3), "Expires soon"), (timedelta(days=-1), "Expired")):
        ApiKey.objects.filter(pk=row.pk).update(expires_at=clock.now() + ends)
        assert said in maya.get(listed).content.decode()
    assert access.find_key(page.context["key"]) is None


def test_the_list_says_in_words_what_a_key_may_do(maya):
    page = maya.get(reverse("admin:contacts_apikey_changelist")).content.decode()
    assert "Read contacts, their timelines and scores; read messages, templates and suppressions; send events" in page


@pytest.mark.parametrize("lifetime", ["soon", "-1", "100000000000"])
def test_a_key_lives_as_long_as_the_form_offers_and_no_other_time(maya, lifetime):
    data = {"name": "Odd", "kind": "server", "lifetime": lifetime}
    assert "key" not in maya.post(reverse("admin:contacts_apikey_add"), data).context
    assert not ApiKey.objects.filter(name="Odd").exists()


def test_a_key_that_has_expired_already_is_not_made(db):
    now = clock.now()
    with pytest.raises(access.BadKeyRequest, match="expired already"):
        access.create_key(name="Late", kind="secret", scopes=["admin"], now=now, expires_at=now)


def test_the_page_offers_the_kinds_and_scopes_that_there_are():
    assert set(SCOPES) == set(access.SCOPES)
    assert set(KINDS) == set(access.KINDS)


@pytest.mark.django_db(transaction=True)
def test_an_address_is_suppressed_by_its_door_and_released_by_name(maya, town):
    maya.post(
        reverse("admin:delivery_suppression_add"), {"address": "Stop@Example.com", "scope": "topic", "topic": "news"}
    )
    row = Suppression.objects.get(address__shown="Stop@Example.com")
    assert (row.scope, row.reason, row.source) == ("news", "manual", "admin")
    found = maya.get(reverse("admin:delivery_suppression_changelist"), {"q": "stop@example.COM"})
    assert [each.pk for each in found.context["cl"].result_list] == [row.pk]
    maya.post(
        reverse("admin:delivery_suppression_changelist"), {"action": "release_selected", "_selected_action": [row.pk]}
    )
    row.refresh_from_db()
    assert row.released_at is not None
    assert row.released_by == "maya"


def test_an_address_or_topic_that_is_none_is_not_suppressed(maya, town):
    before = Suppression.objects.count()
    for data in ({"address": "nobody", "scope": "email"}, {"address": "a@example.com", "scope": "topic"}):
        assert maya.post(reverse("admin:delivery_suppression_add"), data).status_code == 200
    assert Suppression.objects.count() == before


def test_a_stopped_provider_is_resumed(maya):
    maya.post(reverse("admin:delivery_provider_resume", args=["sendgrid"]))
    assert Provider.objects.get(pk="sendgrid").stopped_at is None


def test_a_template_that_was_sent_is_never_deleted(maya):
    template = Template.objects.get(slug="thank-you")
    answer = maya.post(reverse("admin:delivery_template_delete", args=[template.pk]), {"post": "yes"})
    assert "was sent already" in answer.content.decode()
    assert Template.objects.filter(slug="thank-you").exists()


def test_every_state_and_every_kind_of_feedback_has_words():
    assert set(wording.STATES) == set(STATES)
    kinds = {value for name, value in vars(vocabulary).items() if name.isupper() and isinstance(value, str)}
    assert set(wording.FEEDBACK) == kinds
    assert {reason for _, reason in vocabulary.CONSEQUENCES.values()} <= set(wording.REASONS)
