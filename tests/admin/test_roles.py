"""Each role and each deed of consequence: over the pages, at the door, and what a key's scopes allow over the API."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.test import Client
from django.urls import reverse

from analytics.health import alerts_silencing
from config import roles
from contacts import access, authority, clock, merging, quarantine
from contacts.audiences import lists, segments, tags
from contacts.authority import NotAllowed
from contacts.importing import runs, uploads
from contacts.models import Contact
from contacts.privacy import erasing, exporting, restricting
from delivery import suppression
from delivery.authoring import removal, seeds, templates
from delivery.outgoing import endpoints, hearing, replaying
from delivery.rates import braking, stopping
from scoring.lifecycle import labels, stages
from scoring.rulesets import versions
from tests.inhabited import Inhabited
from workflows import publishing, revisions
from workflows.entry import enrolling
from workflows.models import Enrolment
from workflows.watches import exits

LEAD, MARKETER, DELIVERY, PRIVACY = "Marketing lead", "Marketer", "Delivery operations", "Privacy officer"
ALWAYS = {"Admin"}
SHOPPERS = {"field": "email", "op": "exists"}
RULES = [{"name": "Came", "signal": {"event": "signed_up"}, "points": 5}]


def enrolment() -> int:
    return Enrolment.objects.filter(state__in=["pending", "active", "waiting"]).values_list("pk", flat=True)[0]


def somebody_else(town: Inhabited) -> int:
    return Contact.objects.exclude(pk=town.ana.pk).filter(merged_into=None, erased_at=None).values_list("pk")[0][0]


# deed -> who may, and the door that does it
DOORS: dict[str, tuple[set[str], Callable[[Inhabited, Any], object]]] = {
    "publish": ({LEAD}, lambda town, now: publishing.publish(slug=town.journey.slug, by="x", now=now)),
    "pause": ({LEAD}, lambda town, now: publishing.pause(slug=town.journey.slug, now=now)),
    "resume": ({LEAD}, lambda town, now: publishing.resume(slug=town.journey.slug, now=now)),
    "archive": ({LEAD}, lambda town, now: publishing.archive(slug=town.journey.slug, now=now)),
    "enrol": (
        {LEAD},
        lambda town, now: enrolling.begin(
            workflow_id=town.journey.pk, audience=SHOPPERS, kind="manual", by="x", now=now
        ),
    ),
    "take out": ({LEAD}, lambda town, now: exits.take_out([enrolment()], now, by="x")),
    "activate": ({LEAD}, lambda town, now: versions.activate(rules=RULES, now=now)),
    "suppress": (
        {DELIVERY, PRIVACY},
        lambda town, now: suppression.suppress(
            channel="email", address="x@example.com", scope="all", reason="manual", source="x", now=now
        ),
    ),
    "release": (
        {DELIVERY, PRIVACY},
        lambda town, now: suppression.release(channel="email", address="x@example.com", by="x", now=now),
    ),
    "resume provider": ({DELIVERY}, lambda town, now: stopping.resume("sendgrid")),
    "take a brake off": ({DELIVERY}, lambda town, now: braking.release("example.com", by="x", now=now)),
    "write a template": (
        {MARKETER, LEAD},
        lambda town, now: templates.save_version(slug="fresh", name="Fresh", subject="Hi", html="<p>Hi</p>", now=now),
    ),
    "delete a template": ({MARKETER, LEAD}, lambda town, now: removal.delete("thank-you")),
    "make a list": ({MARKETER, LEAD}, lambda town, now: lists.create(slug="fresh", name="Fresh", now=now)),
    "make a segment": (
        {MARKETER, LEAD},
        lambda town, now: segments.create(slug="fresh", name="Fresh", condition={"all": []}, now=now),
    ),
    "delete a tag": ({LEAD}, lambda town, now: tags.delete("no such tag", source="x", now=now)),
    "export": ({PRIVACY}, lambda town, now: exporting.file(town.ana.pk, form=exporting.JSON, actor="x").close()),
    "restrict": ({PRIVACY}, lambda town, now: restricting.restrict(town.ana.pk, actor="x", source="x", now=now)),
    "erase": ({PRIVACY}, lambda town, now: erasing.erase(town.ana.pk, actor="x", now=now)),
    "write a draft": (
        {MARKETER, LEAD},
        lambda town, now: publishing.save_draft(definition=town.journey.draft, what="x", by="x", now=now),
    ),
    "restore a version": (
        {MARKETER, LEAD},
        lambda town, now: publishing.restore(slug=town.journey.slug, number=1, by="x", now=now),
    ),
    "delete a draft": ({MARKETER, LEAD}, lambda town, now: publishing.discard(slug=town.broken_draft.slug, now=now)),
    "undo": ({MARKETER, LEAD}, lambda town, now: revisions.undo(revisions.held(town.journey.pk), by="x", now=now)),
    "merge": (
        {LEAD},
        lambda town, now: merging.unite([town.ana.pk, somebody_else(town)], source="admin", actor="x", now=now),
    ),
    "part again": ({LEAD}, lambda town, now: merging.undo(0, actor="x", now=now)),
    "bring a file": (
        {LEAD},
        lambda town, now: uploads.receive([b"email\nx@example.com\n"], name="x.csv", actor="x", now=now),
    ),
    "stop an import": ({LEAD}, lambda town, now: runs.cancel(0, now=now)),
    "move a stage by hand": (
        {LEAD},
        lambda town, now: stages.move(
            contact_ids=[town.ana.pk], to_stage="customer", reason="x", source="admin", actor="x", now=now
        ),
    ),
    "rename stages": ({LEAD}, lambda town, now: labels.rename({"mql": "Warm"})),
    "try an event again": ({DELIVERY}, lambda town, now: quarantine.try_again([0], now=now)),
    "add a seed address": ({DELIVERY}, lambda town, now: seeds.keep(email="seed@example.com", now=now)),
    "remove a seed address": ({DELIVERY}, lambda town, now: seeds.drop(0)),
    "add an outgoing webhook": (
        set(),
        lambda town, now: endpoints.add(url="https://x.example.com/", event_types=["signed_up"], now=now),
    ),
    "change an outgoing webhook": (set(), lambda town, now: endpoints.change(0, description="x", now=now)),
    "give one another secret": (set(), lambda town, now: endpoints.rotate_secret(0, now=now)),
    "disable an outgoing webhook": (set(), lambda town, now: endpoints.disable(0, now=now)),
    "enable an outgoing webhook": (set(), lambda town, now: endpoints.enable(0, now=now)),
    "remove an outgoing webhook": (set(), lambda town, now: endpoints.remove(0, now=now)),
    "test an outgoing webhook": (set(), lambda town, now: hearing.ping(0, now=now)),
    "replay one delivery": (set(), lambda town, now: replaying.one(0, str(town.ana.public_id), now=now)),
    "replay a span": (set(), lambda town, now: replaying.span(0, since=now, until=now, now=now)),
    "silence an alert": ({DELIVERY}, lambda town, now: alerts_silencing.end(0)),
    "make a key": (set(), lambda town, now: access.create_key(name="x", kind="secret", scopes=["admin"], now=now)),
    "revoke a key": (set(), lambda town, now: access.revoke(town.key.pk, now=now)),
}
# deed -> who may, address, what is posted
PAGES: dict[str, tuple[set[str], Callable[[Inhabited], str], dict[str, str]]] = {
    "publish": ({LEAD}, lambda t: reverse("admin:workflows_workflow_publishing", args=[t.journey.pk]), {}),
    "pause": ({LEAD}, lambda t: reverse("admin:workflows_workflow_deed", args=[t.journey.pk, "pause"]), {}),
    "archive": ({LEAD}, lambda t: reverse("admin:workflows_workflow_deed", args=[t.journey.pk, "archive"]), {}),
    "delete a draft": (
        {MARKETER, LEAD},
        lambda t: reverse("admin:workflows_workflow_delete", args=[t.broken_draft.pk]),
        {"post": "yes"},
    ),
    "enrol": ({LEAD}, lambda t: reverse("admin:workflows_workflow_add_people", args=[t.journey.pk]), {}),
    "take out": ({LEAD}, lambda t: reverse("admin:workflows_enrolment_take_out", args=[enrolment()]), {}),
    "suppress": ({DELIVERY, PRIVACY}, lambda t: reverse("admin:delivery_suppression_add"), {}),
    "release": (
        {DELIVERY, PRIVACY},
        lambda t: reverse("admin:delivery_suppression_release", args=[t.suppression.pk]),
        {},
    ),
    "resume provider": ({DELIVERY}, lambda t: reverse("admin:delivery_provider_resume", args=["sendgrid"]), {}),
    "export": ({PRIVACY}, lambda t: reverse("admin:contacts_contact_export", args=[t.ana.pk]), {}),
    "restrict": ({PRIVACY}, lambda t: reverse("admin:contacts_contact_restrict", args=[t.ana.pk]), {}),
    "erase": ({PRIVACY}, lambda t: reverse("admin:contacts_contact_erase", args=[t.ana.pk]), {"name": "no"}),
    "make a key": (set(), lambda t: reverse("admin:contacts_apikey_add"), {}),
    "revoke a key": (set(), lambda t: reverse("admin:contacts_apikey_revoke", args=[t.key.pk]), {}),
    "add an outgoing webhook": (set(), lambda t: reverse("admin:delivery_webhookendpoint_add"), {}),
    "make a list": ({MARKETER, LEAD}, lambda t: reverse("admin:contacts_list_add"), {}),
    "make a segment": ({MARKETER, LEAD}, lambda t: reverse("admin:contacts_segment_add"), {}),
    "make a user": (set(), lambda t: reverse("admin:auth_user_add"), {}),
    "change drafts": (
        {MARKETER, LEAD},
        lambda t: reverse("admin:workflows_workflow_operation", args=[t.journey.pk]),
        {"revision": "0", "operation": "undo"},
    ),
}
# deed -> the scope that it takes, address, body
SCOPED: dict[str, tuple[str, Callable[[Inhabited], str], dict[str, Any]]] = {
    "publish": ("workflows:publish", lambda t: f"/api/v1/workflows/{t.journey.slug}/publish", {}),
    "pause": ("workflows:publish", lambda t: f"/api/v1/workflows/{t.journey.slug}/pause", {}),
    "archive": ("workflows:publish", lambda t: f"/api/v1/workflows/{t.journey.slug}/archive", {}),
    "enrol": (
        "workflows:write",
        lambda t: f"/api/v1/workflows/{t.journey.slug}/enrol",
        {"audience": SHOPPERS},
    ),
    "take out": (
        "workflows:write",
        lambda t: f"/api/v1/enrolments/{Enrolment.objects.get(pk=enrolment()).public_id}/remove",
        {},
    ),
    "make a list": ("contacts:write", lambda t: "/api/v1/lists", {"slug": "fresh", "name": "Fresh"}),
    "erase": ("contacts:write", lambda t: f"/api/v1/contacts/{t.ana.public_id}/erase", {}),
    "restrict": ("contacts:write", lambda t: f"/api/v1/contacts/{t.ana.public_id}/restrict", {}),
    "add an outgoing webhook": (
        "admin",
        lambda t: "/api/v1/webhook-endpoints",
        {"url": "https://x.example.com/", "event_types": ["signed_up"]},
    ),
    "resume provider": ("admin", lambda t: "/api/v1/providers/sendgrid/resume", {}),
}


def member(role: str) -> User:
    roles.make()
    user = User.objects.create_user("somebody", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return User.objects.get(pk=user.pk)


@pytest.mark.parametrize("role", [role.name for role in roles.ROLES])
def test_a_door_opens_to_a_role_or_does_not(role, town, monkeypatch):
    monkeypatch.setattr("delivery.suppression.transaction", SimpleNamespace(atomic=_not_durable))
    actor = authority.of_user(member(role))
    wrong = []
    for deed, (may, door) in DOORS.items():
        try:
            with _undone(), authority.asking(lambda: actor):
                door(town, clock.now())
            opened = True
        except NotAllowed:
            opened = False
        except (LookupError, publishing.UnableToChange, removal.InUse, merging.NotUndone, revisions.NothingThere):
            opened = True  # the door opened, and there was nothing to do
        if opened != (role in may | ALWAYS):
            wrong.append((deed, "opened" if opened else "stayed shut"))
    assert wrong == []


@pytest.mark.parametrize("role", [role.name for role in roles.ROLES])
def test_a_page_does_what_a_role_may_and_refuses_the_rest(role, town):
    client = Client()
    client.force_login(member(role))
    wrong = []
    for deed, (may, address, posted) in PAGES.items():
        with _undone():
            status = client.post(address(town), posted).status_code
        if (status != 403) != (role in may | ALWAYS):
            wrong.append((deed, status))
    assert wrong == []


@pytest.mark.parametrize("scope", access.SCOPES)
def test_a_key_does_what_its_scope_allows_and_nothing_else(scope, town):
    key = access.create_key(name="robot", kind="secret", scopes=[scope], now=clock.now())
    wrong = []
    for deed, (takes, address, body) in SCOPED.items():
        with _undone():
            status = _post(address(town), body, key).status_code
        if (status < 400) != (scope in {takes, "admin"}):
            wrong.append((deed, status))
    assert wrong == []


@pytest.mark.parametrize("scope", sorted(set(access.SCOPES) - {"workflows:publish", "admin"}))
def test_a_view_that_forgot_its_scope_is_stopped_at_the_door(scope, town, monkeypatch):
    """The door asks by itself: the scope of a view is no more than a better answer."""
    monkeypatch.setattr("workflows.api.workflows.Publish.required_scope", scope)
    key = access.create_key(name="reader", kind="secret", scopes=[scope], now=clock.now())
    answer = _post(f"/api/v1/workflows/{town.journey.slug}/publish", {}, key)
    assert answer.status_code == 403
    assert answer.json()["detail"] == "Key reader may not do this: it takes workflows.publish_workflow."


def test_nobody_who_is_logged_in_may_nothing_and_the_house_may_everything():
    with authority.asking(lambda: authority.NOBODY), pytest.raises(NotAllowed):
        authority.require("workflows.publish_workflow")
    assert authority.require("workflows.publish_workflow").kind == "house"


def _post(address: str, body: dict[str, Any], key: str) -> Any:
    return Client().post(address, body, content_type="application/json", headers={"Authorization": f"Bearer {key}"})


class _Undo(Exception):
    pass


class _undone:
    """What is done inside is as if it had never been."""

    def __enter__(self) -> None:
        self.atomic = transaction.atomic()
        self.atomic.__enter__()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.atomic.__exit__(_Undo, _Undo(), None)


def _not_durable(*args: Any, **kwargs: Any) -> Any:
    return transaction.Atomic(using=None, savepoint=True, durable=False)
