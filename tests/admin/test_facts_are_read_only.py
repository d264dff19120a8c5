"""Facts can be looked at in the admin, and nothing else, whoever asks."""

from __future__ import annotations

import pytest
from django.urls import reverse

from contacts.models import Contact, ContactEvent
from delivery.models import Message, SandboxMail, Suppression
from scoring.models import LifecycleEvent, Ruleset
from workflows.models import Enrolment, EntryRefusal

FACTS = {
    "contacts_contactevent": ContactEvent,
    "contacts_contact": Contact,
    "delivery_message": Message,
    "delivery_sandboxmail": SandboxMail,
    "workflows_enrolment": Enrolment,
    "workflows_entryrefusal": EntryRefusal,
    "scoring_lifecycleevent": LifecycleEvent,
}


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_can_be_seen_but_not_added_changed_or_deleted(maya, name):
    row = FACTS[name].objects.latest("id")
    before = FACTS[name].objects.count()
    change = reverse(f"admin:{name}_change", args=[row.pk])
    assert maya.get(change).status_code == 200
    assert maya.get(reverse(f"admin:{name}_add")).status_code == 403
    assert maya.get(reverse(f"admin:{name}_delete", args=[row.pk])).status_code == 403
    assert maya.post(reverse(f"admin:{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    listed = reverse(f"admin:{name}_changelist")
    maya.post(listed, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert FACTS[name].objects.count() == before
    for field in ("type", "email", "state", "reason"):
        if hasattr(row, field):
            maya.post(change, {field: "forged"})
            fresh = FACTS[name].objects.get(pk=row.pk)
            assert getattr(fresh, field) == getattr(row, field)


def test_a_suppression_cannot_be_deleted(maya, town):
    url = reverse("admin:delivery_suppression_delete", args=[town.suppression.pk])
    assert maya.post(url, {"post": "yes"}).status_code == 403
    page = maya.get(reverse("admin:delivery_suppression_changelist")).content.decode()
    assert "delete_selected" not in page
    maya.post(
        reverse("admin:delivery_suppression_changelist"),
        {"action": "delete_selected", "_selected_action": [town.suppression.pk], "post": "yes"},
    )
    assert Suppression.objects.filter(pk=town.suppression.pk).exists()


def test_active_rules_cannot_be_changed_only_followed_by_new_ones(maya):
    active = Ruleset.objects.get(state="active")
    maya.post(reverse("admin:scoring_ruleset_change", args=[active.pk]), {"mql_threshold": "1"})
    active.refresh_from_db()
    assert active.mql_threshold == 60
    for deed in ("save", "activate", "consequences"):
        body = {"draft": {"rules": [], "mql_threshold": 1}, "edits": 0}
        answer = maya.post(reverse(f"admin:scoring_ruleset_{deed}", args=[active.pk]), body, "application/json")
        assert answer.status_code == (200 if deed == "consequences" else 410)
    maya.post(reverse("admin:scoring_ruleset_discard", args=[active.pk]))
    active.refresh_from_db()
    assert (active.state, active.mql_threshold, active.rules.count()) == ("active", 60, 4)


def test_a_message_page_explains_why_it_was_not_sent(maya, town):
    page = maya.get(reverse("admin:delivery_message_change", args=[town.capped.pk])).content.decode()
    assert "Not sent: the frequency cap was reached" in page
    assert "1 in the past 24 hours (1 allowed), 2 in the past 7 days (3 allowed)" in page


def test_a_held_event_says_that_it_is_used_for_nothing(maya):
    held = ContactEvent.objects.get(processed=False)
    page = maya.get(reverse("admin:contacts_contactevent_change", args=[held.pk])).content.decode()
    assert "Held back" in page
    assert "never used for anything" in page
