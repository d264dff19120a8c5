"""A template goes when nobody needs it, with its versions; else it stays, and says why."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction
from django.urls import reverse

from contacts import clock
from contacts.models import AuditEntry
from delivery.authoring import removal, templates
from delivery.authoring.removal import InUse
from delivery.models import Template, TemplateVersion
from tests import journeys
from tests.contacts.conftest import Api, make_key
from tests.journeys import definition, step
from workflows import publishing

pytestmark = pytest.mark.django_db


def written(slug: str, **more) -> None:
    templates.save_version(slug=slug, name=slug.capitalize(), subject="Hi", html="<p>Hi</p>", now=clock.now(), **more)


def sending(slug: str) -> dict:
    return definition({"mail": step("send_email", {"next": None}, template=slug)})


def test_it_goes_with_its_versions_and_the_audit_log_knows():
    written("tour")
    templates.save_version(slug="tour", name="Tour", subject="Again", html="<p>2</p>", now=clock.now())
    removal.delete("tour")
    assert not Template.objects.exists() and not TemplateVersion.objects.exists()
    entry = AuditEntry.objects.get(what="template.deleted")
    assert (entry.object_id, entry.before, entry.after) == ("tour", {"version": 2}, None)


def test_the_path_is_guarded_again_afterwards():
    written("tour")
    written("other")
    removal.delete("tour")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM template_versions")


def test_a_draft_does_not_keep_it_and_a_version_does_until_the_journey_is_archived():
    written("tour")
    written("other")
    publishing.save_draft(definition=sending("tour"), now=clock.now())
    assert removal.reasons("tour") == []
    publishing.publish(slug="journey", by="x", now=clock.now())
    publishing.save_draft(definition=sending("other"), now=clock.now())
    publishing.publish(slug="journey", by="x", now=clock.now())  # somebody may be under way in the first
    with pytest.raises(InUse, match="is named by the journey “Journey”"):
        removal.delete("tour")
    publishing.archive(slug="journey", now=clock.now())
    removal.delete("tour")


def test_a_layout_stays_while_a_template_is_made_with_it():
    html = "<html><body>{{{body}}}</body></html>"
    templates.save_version(slug="frame", name="Frame", html=html, kind="layout", now=clock.now())
    templates.save_version(
        slug="tour", name="Tour", subject="Hi", now=clock.now(),
        source={"kind": "html", "body": "<p>Hi</p>", "layout": "frame"},
    )  # fmt: skip
    assert removal.reasons("frame") == ["is named by the template “Tour”"]
    removal.delete("tour")
    removal.delete("frame")


@pytest.mark.django_db(transaction=True)
def test_what_was_sent_keeps_its_words():
    written("tour")
    journeys.publish(sending("tour"))
    journeys.track(journeys.contact().pk, "signed_up")
    journeys.run()
    publishing.archive(slug="journey", now=clock.now())
    with pytest.raises(InUse, match="was sent already"), transaction.atomic():
        removal.delete("tour")


def test_its_page_asks_first_and_says_why_it_stays(admin_client):
    written("tour")
    journeys.publish(sending("tour"))
    url = reverse("admin:delivery_template_delete", args=[Template.objects.get().pk])
    assert "It is named by the journey “Journey”." in admin_client.get(url).content.decode()
    assert admin_client.post(url, {"post": "yes"}).status_code == 200 and Template.objects.exists()
    publishing.archive(slug="journey", now=clock.now())
    assert "Delete “Tour”?" in admin_client.get(url).content.decode() and Template.objects.exists()
    admin_client.post(url, {"post": "yes"})
    assert not Template.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_api_deletes_it_or_says_why_not():
    written("tour")
    writer = Api(make_key("workflows:write"))
    journeys.publish(sending("tour"))
    answer = writer.call("DELETE", "/api/v1/templates/tour", b"")
    assert (answer.status_code, answer.json()["detail"]) == (409, "It is named by the journey “Journey”.")
    publishing.archive(slug="journey", now=clock.now())
    assert Api(make_key("workflows:read")).call("DELETE", "/api/v1/templates/tour", b"").status_code == 403
    assert writer.call("DELETE", "/api/v1/templates/tour", b"").status_code == 204
    assert writer.call("DELETE", "/api/v1/templates/tour", b"").status_code == 404
