"""Pages, buttons and deeds follow the permissions of whoever asks."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from contacts.models import ApiKey
from delivery.models import Provider, Suppression
from workflows.models import Workflow, WorkflowVersion


def page_of(workflow: Workflow) -> str:
    return reverse("admin:workflows_workflow_text", args=[workflow.pk])


def deed(workflow: Workflow, name: str) -> str:
    return reverse("admin:workflows_workflow_deed", args=[workflow.pk, name])


def test_who_may_only_look_sees_no_button_and_can_do_nothing(staff, town):
    viewer = staff("workflows.view_workflow")
    page = viewer.get(page_of(town.journey)).content.decode()
    assert 'name="_publish"' not in page
    assert 'name="_save"' not in page
    assert 'id="pause"' not in page
    draft = {"draft": '{"slug": "first-order"}', "as": "json", "revision": town.journey.draft_revision, "_publish": ""}
    assert viewer.post(page_of(town.journey), draft).status_code == 403
    for name in ("pause", "resume", "archive"):
        assert viewer.post(deed(town.journey, name)).status_code == 403
    town.journey.refresh_from_db()
    assert town.journey.status == "live"


def test_who_may_write_drafts_but_not_publish_cannot_publish(staff, town):
    writer = staff("workflows.view_workflow", "workflows.change_workflow")
    page = writer.get(page_of(town.journey)).content.decode()
    assert 'name="_save"' in page
    assert 'name="_publish"' not in page
    before = WorkflowVersion.objects.count()
    text = writer.get(page_of(town.journey), {"as": "json"}).context["text"]
    answer = writer.post(page_of(town.journey), {"draft": text, "as": "json", "revision": 2, "_publish": ""})
    assert answer.status_code == 403
    assert WorkflowVersion.objects.count() == before
    assert writer.post(page_of(town.journey), {"draft": text, "as": "json", "revision": 2}).status_code == 302


@pytest.mark.parametrize("name", ["pause", "archive"])
def test_a_deed_is_never_done_by_following_a_link(maya, town, name):
    assert maya.get(deed(town.journey, name)).status_code == 403
    town.journey.refresh_from_db()
    assert town.journey.status == "live"


def test_who_may_nothing_sees_neither_pages_nor_entries_of_the_menu(staff, town):
    nobody = staff()
    assert nobody.get(page_of(town.journey)).status_code == 403
    assert nobody.get(reverse("admin:contacts_contact_change", args=[town.ana.pk])).status_code == 403
    assert nobody.get(reverse("admin:contacts_contact_timeline", args=[town.ana.pk])).status_code == 403
    start = nobody.get(reverse("admin:index"))
    assert start.status_code == 200
    assert "API keys" not in start.content.decode()


def test_strangers_are_sent_to_the_login_and_come_back(client, town):
    wanted = reverse("admin:contacts_contact_changelist")
    answer = client.get(wanted)
    assert (answer.status_code, answer["Location"]) == (302, f"{reverse('admin:login')}?next={wanted}")
    credentials = {"username": "maya", "password": "correct horse", "next": wanted}
    assert client.post(answer["Location"], credentials)["Location"] == wanted
    client.logout()
    form = client.get(reverse("admin:login"))
    assert f'name="next" value="{reverse("admin:index")}"' in form.content.decode()


def test_keys_suppressions_and_providers_ask_for_their_own_permission(staff, town):
    viewer = staff("contacts.view_apikey", "delivery.view_suppression", "delivery.view_provider")
    assert viewer.get(reverse("admin:contacts_apikey_change", args=[town.key.pk])).status_code == 200
    assert viewer.get(reverse("admin:contacts_apikey_add")).status_code == 403
    assert viewer.post(reverse("admin:contacts_apikey_revoke", args=[town.key.pk])).status_code == 403
    assert viewer.get(reverse("admin:delivery_suppression_add")).status_code == 403
    assert viewer.post(reverse("admin:delivery_suppression_release", args=[town.suppression.pk])).status_code == 403
    assert viewer.post(reverse("admin:delivery_provider_resume", args=["sendgrid"])).status_code == 403
    viewer.post(
        reverse("admin:delivery_suppression_changelist"),
        {"action": "release_selected", "_selected_action": [town.suppression.pk]},
    )
    assert ApiKey.objects.get(pk=town.key.pk).revoked_at is None
    assert Suppression.objects.get(pk=town.suppression.pk).released_at is None
    assert Provider.objects.get(pk="sendgrid").stopped_at is not None


def test_a_preview_shows_a_contact_only_to_who_may_see_contacts(staff, town):
    words = {"subject": "{{first_name}}", "source": {"kind": "html", "body": "<p>x</p>"}}
    asked = json.dumps({"draft": {"words": {"": words}}, "as": town.mallory.email})
    preview = reverse("admin:delivery_template_preview")

    def shown(client):
        return client.post(preview, asked, content_type="application/json")

    may_not = shown(staff("delivery.view_template")).json()
    may = shown(staff("delivery.view_template", "contacts.view_contact", "contacts.see_personal_data")).json()
    assert may_not["subject"] == "Ana"
    assert may["subject"] == town.mallory.attributes["first_name"]
    assert shown(staff()).status_code == 403


def test_the_inbox_is_in_the_menu_only_with_the_sandbox(maya, settings):
    inbox = reverse("admin:delivery_sandboxmail_changelist")
    settings.EMAIL_PROVIDER = "sandbox"
    assert inbox in maya.get(reverse("admin:index")).content.decode()
    settings.EMAIL_PROVIDER = "sendgrid"
    assert inbox not in maya.get(reverse("admin:index")).content.decode()
