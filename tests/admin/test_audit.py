"""The audit log: what changes leave in it, that nobody changes it, and how it is read."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from config import roles
from contacts import access, audit, clock, retention, seals
from contacts.audiences import lists, segments, tags
from contacts.guarded import guarded_path
from contacts.models import AuditEntry
from contacts.privacy import erasing
from delivery import suppression
from delivery.authoring import templates
from delivery.models import Address
from scoring.rulesets import versions
from workflows import publishing
from workflows.models import Enrolment, WorkflowVersion

LOG = "admin:contacts_auditentry_changelist"


def last(what: str) -> AuditEntry:
    return AuditEntry.objects.filter(what=what).latest("id")


def deed(journey, name: str) -> str:
    return reverse("admin:workflows_workflow_deed", args=[journey.pk, name])


def test_pausing_and_resuming_say_who_did_it_and_what_it_was_before(maya, town):
    maya.post(deed(town.journey, "pause"), headers={"X-Request-ID": "of-the-proxy-1"})
    entry = last("workflow.paused")
    assert (entry.actor_kind, entry.actor) == ("staff", "maya")
    assert (entry.object_type, entry.object_id, entry.object_name) == ("workflow", "first-order", town.journey.name)
    assert (entry.before, entry.after) == ({"status": "live"}, {"status": "paused"})
    assert entry.request_id == "of-the-proxy-1"
    maya.post(deed(town.journey, "resume"))
    entry = last("workflow.resumed")
    assert (entry.before, entry.after) == ({"status": "paused"}, {"status": "live"})
    assert len(entry.request_id) == 32


def test_what_was_refused_leaves_nothing(maya, town):
    maya.post(deed(town.journey, "resume"))  # it is live
    assert not AuditEntry.objects.filter(what="workflow.resumed").exists()


def test_publishing_over_the_api_names_the_key_and_both_versions(town):
    key = access.create_key(name="robot", kind="secret", scopes=["workflows:publish"], now=clock.now())
    before = WorkflowVersion.objects.get(pk=town.journey.live_version_id)
    Client().post(
        "/api/v1/workflows/first-order/publish", {"note": "Warmer words"}, content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )  # fmt: skip
    entry = last("workflow.published")
    assert (entry.actor_kind, entry.actor) == ("key", "robot")
    assert entry.before == {"version": before.number, "definition": before.definition_hash}
    assert (entry.after["version"], entry.after["note"]) == (before.number + 1, "Warmer words")


def test_a_key_is_noted_without_its_secret(db):
    key = access.create_key(name="robot", kind="secret", scopes=["contacts:read"], now=clock.now())
    entry = last("api_key.created")
    assert entry.after == {"kind": "secret", "scopes": ["contacts:read"], "events": [], "origins": []}
    assert key not in json.dumps([entry.after, entry.object_id, entry.object_name])
    access.revoke(access.find_key(key).id, now=clock.now())
    assert last("api_key.revoked").after == {"revoked": True}


def test_segments_lists_and_tags_say_what_changed_in_them(db, now):
    condition = {"field": "email", "op": "eq", "value": "anna@example.com"}
    segments.create(slug="one", name="One", condition=condition, now=now)
    assert last("segment.created").after["condition"]["value"] == "a…@example.com"
    segments.change("one", name="Only her", now=now)
    assert (last("segment.changed").before, last("segment.changed").after) == ({"name": "One"}, {"name": "Only her"})
    segments.change("one", name="Only her", now=now)
    assert AuditEntry.objects.filter(what="segment.changed").count() == 1
    segments.delete("one")
    assert last("segment.deleted").after is None
    lists.create(slug="news", name="News", now=now)
    lists.change("news", name="Newsletter")
    assert (last("list.changed").before, last("list.changed").after) == ({"name": "News"}, {"name": "Newsletter"})
    lists.delete("news", source="api", now=now)
    assert last("list.deleted").before == {"members": 0}
    with pytest.raises(LookupError):
        tags.delete("unknown", source="api", now=now)
    assert not AuditEntry.objects.filter(object_type="tag").exists()


def test_templates_and_rules_say_which_version_held_before(db, now):
    for subject in ("One", "Two", "Two"):
        templates.save_version(slug="hi", name="Hi", subject=subject, html="<p>Hi</p>", now=now)
    saved = AuditEntry.objects.filter(what="template.saved").order_by("id")
    assert [(entry.before, entry.after["version"]) for entry in saved] == [(None, 1), ({"name": "Hi", "version": 1}, 2)]
    for points in (1, 2):
        rules = [{"name": "Came", "signal": {"event": "signed_up"}, "points": points}]
        versions.activate(rules=rules, now=now)
    entry = last("ruleset.activated")
    assert (entry.before, entry.after["version"]) == ({"version": 1}, 2)


@pytest.mark.django_db(transaction=True)
def test_suppressing_names_the_address_by_its_number_only():
    now = clock.now()
    suppression.suppress(
        channel="email", address="anna@example.com", scope="all", reason="manual", source="admin", now=now
    )
    suppression.release(channel="email", address="anna@example.com", by="maya", why="asked", now=now)
    number = str(Address.objects.get(shown="anna@example.com").pk)
    assert [last(what).object_id for what in ("address.suppressed", "address.released")] == [number, number]
    assert last("address.released").before == {"standing": [{"scope": "all", "reason": "manual"}]}
    assert "anna" not in json.dumps(list(AuditEntry.objects.values("object_id", "object_name", "before", "after")))


def test_who_was_taken_out_of_a_journey_is_noted_one_by_one(maya, town):
    row = Enrolment.objects.filter(state="waiting").first()
    maya.post(reverse("admin:workflows_enrolment_take_out", args=[row.pk]))
    entry = last("enrolment.taken_out")
    assert (entry.object_id, entry.before) == (str(row.pk), {"state": "waiting"})
    assert entry.after == {"state": "exited", "reason": "manually_removed"}


def test_erasing_leaves_the_entry_and_nothing_of_the_person_in_it(town):
    erasing.erase(town.ana.pk, actor="staff:maya", now=clock.now())
    entry = last("contact.erased")
    assert (entry.object_type, entry.object_id, entry.object_name) == ("contact", str(town.ana.pk), "")


def test_accounts_and_groups_say_what_they_may_now_and_never_a_password(maya, town):
    roles.make()
    lead = Group.objects.get(name="Marketing lead")
    form = {
        "username": "noa",
        "password1": "long and safe 1",
        "password2": "long and safe 1",
        "usable_password": "true",
    }
    maya.post(reverse("admin:auth_user_add"), form)
    noa = User.objects.get(username="noa")
    assert last("user.created").before is None
    given = {"username": "noa", "is_active": "on", "is_staff": "on", "groups": [lead.pk],
             "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}  # fmt: skip
    maya.post(reverse("admin:auth_user_change", args=[noa.pk]), given)
    entry = last("user.changed")
    assert entry.before == {"staff": False, "groups": []}
    assert entry.after == {"staff": True, "groups": ["Marketing lead"]}
    again = {**form, "password1": "other and 2", "password2": "other and 2"}
    maya.post(reverse("admin:auth_user_password_change", args=[noa.pk]), again)
    assert last("user.password_changed").after is None
    maya.post(reverse("admin:auth_group_change", args=[lead.pk]), {"name": "Marketing lead", "permissions": []})
    assert last("group.changed").after == {"permissions": []}
    assert "workflows.publish_workflow" in last("group.changed").before["permissions"]
    maya.post(reverse("admin:auth_user_delete", args=[noa.pk]), {"post": "yes"})
    assert last("user.deleted").after is None
    assert "safe" not in json.dumps(list(AuditEntry.objects.values("before", "after")))


def test_an_entry_goes_with_its_change(db, now):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        lists.create(slug="news", name="News", now=now)
        raise ZeroDivisionError
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("statement", ["UPDATE audit_entries SET actor = 'else'", "DELETE FROM audit_entries"])
def test_nobody_changes_or_deletes_an_entry(db, now, statement):
    lists.create(slug="news", name="News", now=now)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_entries_are_kept_for_ever_or_as_long_as_is_said(db, now, settings):
    lists.create(slug="news", name="News", now=now)
    with guarded_path(), connection.cursor() as cursor:
        cursor.execute("UPDATE audit_entries SET at = at - interval '400 days'")
    lists.create(slug="other", name="Other", now=now)
    retention.tidy(now=clock.now() + timedelta(days=1))
    assert AuditEntry.objects.count() == 2
    settings.AUDIT_RETENTION = "P365D"
    retention.tidy(now=clock.now() + timedelta(days=1))
    assert [entry.object_id for entry in AuditEntry.objects.all()] == ["other"]


def test_the_page_shows_what_changed_and_narrows(maya, town):
    maya.post(deed(town.journey, "pause"))
    audit.note("list.changed", of=("list", "<b>x</b>"), name="<script>", before={"name": "<i>"}, after={"name": "y"})
    page = maya.get(reverse(LOG)).content.decode()
    assert "<script>" not in page.split("au-entries")[1]
    assert "&lt;i&gt;" in page
    shown = maya.get(reverse(LOG), {"who": "maya", "kind": "workflow", "thing": "first-order", "span": "hour"})
    assert [each["entry"].what for each in shown.context["entries"]] == ["workflow.paused"]
    assert maya.get(reverse(LOG), {"what": "list.changed"}).context["entries"][0]["deed"] == "Changed"
    assert "Nothing of the kind" in maya.get(reverse(LOG), {"who": "noa"}).content.decode()
    assert maya.get(reverse(LOG), {"before": "x", "span": "\x00", "kind": "y" * 999}).status_code == 200


def test_the_page_says_what_is_not_sealed_yet(maya, town):
    while seals.seal_batch(now=clock.now()):
        pass
    assert "not sealed yet" not in maya.get(reverse(LOG)).content.decode()
    audit.note("tag.deleted", of=("tag", 1))
    shown = maya.get(reverse(LOG))
    assert [each["is_sealed"] for each in shown.context["entries"][:2]] == [False, True]
    assert shown.content.decode().count("not sealed yet") == 1


def test_the_page_goes_back_by_keys_and_loses_nothing(maya, town):
    for number in range(120):
        audit.note("tag.deleted", of=("tag", number))
    seen, address = [], f"{reverse(LOG)}?kind=tag"
    while address:
        answer = maya.get(address)
        seen += [int(each["entry"].object_id) for each in answer.context["entries"]]
        address = answer.context["older"] and reverse(LOG) + answer.context["older"]
    assert seen == list(range(119, -1, -1))


def test_the_page_costs_the_same_however_far_back(maya, town, django_assert_max_num_queries):
    for number in range(120):
        audit.note("tag.deleted", of=("tag", number))
    with django_assert_max_num_queries(20):
        maya.get(reverse(LOG))


def test_only_who_may_read_the_log_reads_it(staff, town):
    assert staff("workflows.view_workflow").get(reverse(LOG)).status_code == 403
    reader = staff("contacts.view_auditentry")
    assert reader.get(reverse(LOG)).status_code == 200
    assert reader.get(reverse("admin:contacts_auditentry_add")).status_code == 403


def test_a_second_person_publishes_where_that_is_asked_for(settings, staff, town):
    settings.PUBLISH_NEEDS_SECOND_PERSON = True
    may = ("workflows.view_workflow", "workflows.change_workflow", "workflows.publish_workflow")
    writer, other = staff(*may), staff(*may)
    name = User.objects.get(pk=writer.session["_auth_user_id"]).username
    draft = {**town.journey.draft, "name": "Another name"}
    publishing.save_draft(definition=draft, now=clock.now(), by=name)
    town.journey.refresh_from_db()
    address = reverse("admin:workflows_workflow_publishing", args=[town.journey.pk])
    asked = writer.get(address).content.decode()
    assert f"Changed since the last version by {name}" in asked
    assert '<button type="submit"' not in asked
    answer = writer.post(address, {"revision": town.journey.draft_revision})
    assert (answer.status_code, "second person" in answer.json()["message"]) == (422, True)
    assert '<button type="submit"' in other.get(address).content.decode()
    assert other.post(address, {"revision": town.journey.draft_revision}).status_code == 200
    assert writer.get(address).status_code == 200


def test_a_key_does_not_publish_what_it_wrote_either(settings, town):
    settings.PUBLISH_NEEDS_SECOND_PERSON = True
    key = access.create_key(name="robot", kind="secret", scopes=["workflows:publish"], now=clock.now())
    publishing.save_draft(definition={**town.journey.draft, "name": "New"}, now=clock.now(), by="key robot")
    sent = {"content_type": "application/json", "headers": {"Authorization": f"Bearer {key}"}}
    answer = Client().post("/api/v1/workflows/first-order/publish", {}, **sent)
    assert answer.status_code == 403
    assert answer.json()["detail"].startswith("A second person publishes")
    settings.PUBLISH_NEEDS_SECOND_PERSON = False
    assert Client().post("/api/v1/workflows/first-order/publish", {}, **sent).status_code == 200
