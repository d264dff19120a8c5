""" "Why did she get this?", asked on a contact's page: one journey, and what decided about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from contacts import transactions
from contacts.models import Contact
from contacts.pages import floors
from contacts.pages.contact_deeds import page_of
from workflows import wording
from workflows.models import Enrolment, EntryRefusal, Workflow
from workflows.why import Gate, why

OFFERED = 200
GATES = {
    "workflow": "The journey",
    "event": "The event",
    "consent": "Consent",
    "match": "The trigger's filter",
    "human": "A person, not a machine",
    "age": "The age of the event",
    "published": "Published before it",
    "restricted": "Use of the data",
    "audience": "The audience",
    "rollout": "Rollout",
    "holdout": "Holdout",
    "re_entry": "Re-entry",
    "entry": "Entered",
}

floors.register_action(
    "Why this journey?", "admin:workflows_enrolment_why", "workflows.view_enrolment", "psychology_alt", place=20
)


@dataclass(frozen=True)
class Line:
    """A gate as it is shown. `read`: sentence and value, for each thing that was read."""

    name: str
    passed: bool
    reason: str
    now: bool
    read: list[tuple[str, str]]


def why_view(request: HttpRequest, site: AdminSite, contact_id: int) -> HttpResponse:
    """`?workflow=slug` answers for that journey; without it there is a journey to choose."""
    if not request.user.has_perm("workflows.view_enrolment"):
        raise PermissionDenied
    contact = Contact.objects.filter(pk=contact_id).first()
    if contact is None:
        raise Http404("There is no such contact")
    offered = _offered(contact_id)
    slug = request.GET.get("workflow", "") or (offered[0].slug if offered else "")
    workflow = Workflow.objects.select_related("live_version").filter(slug=slug).first()
    found, names = None, dict[str, str]()
    if workflow is not None:
        asked, names = workflow, _step_names(contact_id, workflow)
        found = transactions.run(lambda now: why(contact_id=contact_id, workflow=asked, now=now))
    context = {
        **site.each_context(request),
        "title": "Why this journey?",
        "crumbs": [
            ("Contacts", reverse("admin:contacts_contact_changelist")),
            (str(contact), page_of(contact_id)),
            ("Why this journey?", ""),
        ],
        "contact": contact,
        "offered": offered,
        "workflow": workflow,
        "why": found,
        "lines": [_line(gate, names) for gate in found.gates] if found else [],
        "refusals": [(each["at"][:16].replace("T", " "), wording.refusal(each["reason"])) for each in found.refusals]
        if found
        else [],
    }
    return TemplateResponse(request, "admin/workflows/why.html", context)


def _offered(contact_id: int) -> list[Workflow]:
    """Journeys that the contact met come first, then those that run."""
    met = set(Enrolment.objects.filter(contact_id=contact_id).order_by().values_list("workflow_id", flat=True))
    met |= set(EntryRefusal.objects.filter(contact_id=contact_id).order_by().values_list("workflow_id", flat=True))
    rows = Workflow.objects.filter(Q(status__in=("live", "paused")) | Q(pk__in=met)).defer("draft").order_by("name")
    return sorted(rows[:OFFERED], key=lambda workflow: workflow.pk not in met)


def _step_names(contact_id: int, workflow: Workflow) -> dict[str, str]:
    """What the steps are called in the version that the contact is or was in last."""
    rows = Enrolment.objects.filter(contact_id=contact_id, workflow=workflow).order_by("-id")
    steps = rows.values_list("version__definition__steps", flat=True).first() or {}
    return {key: str(step.get("name") or key) for key, step in steps.items()}


def _line(gate: Gate, names: Mapping[str, str]) -> Line:
    kind, _, key = gate.gate.partition(":")
    step = names.get(key, key)
    name = GATES.get(gate.gate) or {"step": step, "send": f"Message of “{step}”"}.get(kind, kind.capitalize())
    return Line(name, gate.passed, gate.reason, gate.as_of == "now", _read(gate.read))


def _read(read: Any) -> list[tuple[str, str]]:
    if isinstance(read, list):
        return [
            (str(each["asked"]), _shown(each["read"])) for each in read if isinstance(each, dict) and "asked" in each
        ]
    if isinstance(read, dict) and isinstance(read.get("properties"), dict):
        return [(str(name), _shown(value)) for name, value in read["properties"].items()]
    return []


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
