"""Roles: who in a company does what. One description, from which the groups are made, docs/guides/roles.md is checked
and the tests ask every door.

The groups are made whenever the database was migrated, since permissions are written by then: a role means the same in
every installation, and one that was changed by hand is set right with the next migration. Whoever needs another cut
makes a group of their own. What a scope of an API key stands for is said in the same words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps

OURS = ("contacts", "scoring", "delivery", "workflows", "analytics")


@dataclass(frozen=True)
class Role:
    """`may`: permissions, `<app>.<codename>`. `of`: the roles whose permissions it has as well."""

    name: str
    can: str  # in a sentence, for people
    may: frozenset[str]
    of: tuple[str, ...] = ()


def _on(app: str, deeds: str, *models: str) -> frozenset[str]:
    return frozenset(f"{app}.{deed}_{model}" for deed in deeds.split() for model in models)


_LOOK = (
    _on("workflows", "view", "workflow", "workflowversion", "enrolment", "entryrefusal", "entryrun", "rehearsal")
    | _on("contacts", "view", "contact", "segment", "list", "tag")
    | _on("scoring", "view", "ruleset", "scorecrossing", "lifecycleevent", "progressionrule", "stagelabel", "backtest")
    | _on("delivery", "view", "template", "posttally")
    | _on("analytics", "view", "counter", "experiment", "reportsubscription", "warehouserun", "latency", "alert")
    | {"analytics.add_reportsubscription"}
)
_WRITE = (
    _on("workflows", "add change delete", "workflow")
    | _on("delivery", "add change delete", "template")
    | _on("contacts", "add change delete", "segment", "list")
    | _on("contacts", "add change", "tag")
    | _on("delivery", "view", "message", "seedaddress")
    | _on("workflows", "view", "deadletter")
    | {"analytics.change_experiment"}
)
_LEAD = frozenset(
    {"workflows.publish_workflow", "workflows.pause_workflow", "contacts.see_personal_data"}
    | {"workflows.add_entryrun", "workflows.change_enrolment", "workflows.change_deadletter"}
    | _on("workflows", "view change", "salestask")
    | _on("contacts", "add change", "contact")
    | _on("contacts", "delete", "tag")
    | _on("contacts", "view", "contactevent", "contactmerge", "importrun", "quarantinedevent")
    | {"contacts.import_contacts", "contacts.export_contacts"}
    | _on("scoring", "add change", "ruleset")
    | _on("scoring", "add change delete", "progressionrule")
    | _on("scoring", "change", "stagelabel")
    | _on("delivery", "view", "suppression", "sandboxmail")
)
_DELIVERY = (
    _on("delivery", "view", "message", "outboxentry", "provider", "posttally", "sendingdomain", "suppression")
    | _on("delivery", "view", "seedaddress", "webhookdelivery", "webhookendpoint")
    | _on("delivery", "change", "message", "provider", "sendingdomain")
    | _on("delivery", "add change", "suppression")
    | _on("delivery", "add delete", "seedaddress")
    | _on("workflows", "view change", "deadletter")
    | _on("analytics", "view change", "alert")
    | _on("analytics", "view", "latency", "counter", "warehouserun")
    | _on("contacts", "view change", "quarantinedevent")
    | {"contacts.view_freeze", "contacts.freeze_installation"}
)
_PRIVACY = frozenset(
    {"contacts.export_contact", "contacts.erase_contact", "contacts.restrict_contact", "contacts.see_personal_data"}
    | _on("contacts", "view", "contact", "privacydeed", "contactmerge", "contactevent", "auditentry")
    | _on("delivery", "view add change", "suppression")
    | _on("delivery", "view", "message")
    | _on("workflows", "view", "enrolment")
)
_ADMIN = (
    frozenset(f"auth.{deed}_{model}" for deed in ("view", "add", "change", "delete") for model in ("user", "group"))
    | _on("contacts", "view add change", "apikey")
    | _on("delivery", "view add change delete", "webhookendpoint")
    | _on("contacts", "view", "auditentry")
    | _on("analytics", "add", "warehouserun")
    | _on("analytics", "change", "reportsubscription")
    | frozenset(f"django_celery_beat.{deed}_periodictask" for deed in ("view", "add", "change", "delete"))
)

ROLES = (
    Role("Analyst", "reads journeys, results and reports; personal data is masked", _LOOK),
    Role(
        "Marketer",
        "writes drafts, templates, segments and lists, tries journeys and sends tests",
        _WRITE,
        ("Analyst",),
    ),
    Role(
        "Marketing lead",
        "publishes and pauses, brings people in and takes them out, changes scoring rules, sees personal data",
        _LEAD,
        ("Marketer",),
    ),
    Role(
        "Delivery operations",
        "keeps the post going: queue health, retries, suppressions, providers, domains, warm-up; no content",
        _DELIVERY,
    ),
    Role("Privacy officer", "exports, erases and restricts people, and keeps suppressions", _PRIVACY),
    Role(
        "Admin",
        "everything the others may, and users, groups, API keys, the audit log and settings",
        _ADMIN,
        ("Marketing lead", "Delivery operations", "Privacy officer"),
    ),
)

# What a scope of an API key stands for. The scope `admin` is everything.
SCOPES: Mapping[str, frozenset[str]] = {
    "contacts:read": frozenset({"contacts.see_personal_data", "contacts.export_contact"}),
    "contacts:write": frozenset({"contacts.see_personal_data", "contacts.erase_contact", "contacts.restrict_contact"})
    | {"contacts.change_contact", "contacts.import_contacts"}
    | _on("contacts", "add change delete", "segment", "list", "tag"),
    "workflows:write": frozenset({"workflows.add_entryrun", "analytics.change_experiment"})
    | _on("workflows", "add change", "workflow")
    | _on("workflows", "change", "enrolment", "deadletter")
    | _on("delivery", "add change delete", "template"),
    "workflows:publish": frozenset({"workflows.publish_workflow", "workflows.pause_workflow"})
    | {"workflows.change_deadletter", "analytics.change_experiment"},
    "delivery:read": frozenset({"contacts.see_personal_data"}),
}


def named(name: str) -> Role:
    return next(role for role in ROLES if role.name == name)


def permissions(role: Role) -> frozenset[str]:
    """Its own, and those of the roles in it."""
    return role.may.union(*(permissions(named(other)) for other in role.of))


def make() -> None:
    """Make the groups, with these permissions exactly. Those that are not there (yet) are passed over."""
    from django.contrib.auth.models import Group, Permission

    known = {
        f"{app}.{codename}": pk
        for pk, app, codename in Permission.objects.values_list("pk", "content_type__app_label", "codename")
    }
    for role in ROLES:
        group, _ = Group.objects.get_or_create(name=role.name)
        group.permissions.set(known[each] for each in permissions(role) if each in known)


def after_migrating(app_config: Any, **_: Any) -> None:
    """Of the last of our apps: by then the permissions of all of them are written."""
    if app_config.label == OURS[-1] and apps.is_installed("django.contrib.auth"):
        make()
