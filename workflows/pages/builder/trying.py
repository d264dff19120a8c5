"""Test contact: a panel beside the map, and the way that somebody would take, drawn on it. Nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse

from contacts import catalogue, clock, personal, zones
from contacts.models import Contact
from contacts.pages.contacts import contact_ids_of
from contacts.wall_clock import choose_zone
from workflows.builder import ports
from workflows.builder.forms import labels
from workflows.definition.sentences import mapping
from workflows.definition.validation import validate
from workflows.models import Workflow
from workflows.pages.builder import trying_form, trying_path
from workflows.pages.drafts import named
from workflows.trying import process
from workflows.trying.asked import CLICKS, NOTHING, OPENS, CannotTry
from workflows.trying.process import Unanswered

if TYPE_CHECKING:
    from workflows.pages.journeys import JourneyAdmin

FOUND = 8  # contacts that a search shows
EVENTS = 200  # that are offered
SEE_CONTACTS = "contacts.view_contact"
HABITS = ((NOTHING, "Do nothing with them"), (OPENS, "Open each of them"), (CLICKS, "Open each and click a link"))
UNITS = (("M", "minutes"), ("H", "hours"), ("D", "days"))


def trying_view(admin: JourneyAdmin, request: HttpRequest, pk: int) -> HttpResponse | JsonResponse:
    """GET: the panel. POST: {"html": what came of it, "marks": {card: words}, "ways": [[step, port], …]}; 422 with a
    message, and with the fields that are wrong."""
    workflow = admin.workflow_of(request, pk)
    errors = _errors(workflow)
    if request.method != "POST":
        if not errors:
            process.warm()
        context = _panel(request, workflow, errors)
        return TemplateResponse(request, "admin/workflows/builder/trying.html", context)
    if errors:
        return JsonResponse({"message": f"Solve {_counted(len(errors))} of the draft first."}, status=422)
    try:
        trial = trying_form.read(workflow, request.POST, contact_id=_chosen(request), now=clock.now())
        told = process.ask(trial)
    except (CannotTry, Unanswered) as error:
        return JsonResponse({"message": str(error)}, status=422)
    path = trying_path.path(told, workflow.draft, now=trial.at)
    html = render_to_string("admin/workflows/builder/trying_path.html", {"path": path, "anyway": trial.anyway}, request)
    marks = {stop.step: {"words": stop.mark, "tone": stop.tone, "title": stop.title} for stop in path.stops}
    return JsonResponse({"html": html, "marks": marks, "ways": told["ways"], "said": path.said})


def contacts_view(admin: JourneyAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """`?q=`: contacts of that address or name, exactly or by its beginning."""
    admin.workflow_of(request, pk)
    term = request.GET.get("q", "").replace("\0", "").strip()
    may_see = request.user.has_perm(SEE_CONTACTS)
    found = _found(term) if term and may_see else []
    return TemplateResponse(request, "admin/workflows/builder/trying_contacts.html", {"found": found, "term": term})


def _found(term: str) -> list[dict[str, Any]]:
    living = Contact.objects.filter(merged_into=None, erased_at=None)
    pages = [
        living.filter(pk__in=contact_ids_of(term)),
        living.filter(email__startswith=term.lower()),
        living.filter(external_id__startswith=term),
    ]
    rows: dict[int, dict[str, Any]] = {}
    for page in pages:
        for row in page.values("pk", "email", "external_id", "attributes", "timezone").order_by("pk")[:FOUND]:
            rows.setdefault(row["pk"], {**row})
    return [_shown(row) for row in list(rows.values())[:FOUND]]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    attributes = mapping(row["attributes"])
    name = " ".join(str(attributes[part]) for part in ("first_name", "last_name") if attributes.get(part))
    about = (personal.address(row["email"] or ""), personal.address(row["external_id"] or ""), personal.name(name))
    said = [each for each in about if each]
    zone = choose_zone(row["timezone"] or "", settings.DEFAULT_TIMEZONE).key
    return {"pk": row["pk"], "first": said[0] if said else f"Contact {row['pk']}", "rest": said[1:], "zone": zone}


def _chosen(request: HttpRequest) -> int | None:
    """The contact who was chosen; None: somebody invented. Raises CannotTry."""
    if request.POST.get("who") != "contact":
        return None
    if not request.user.has_perm(SEE_CONTACTS):
        raise CannotTry("You may not look at contacts. Try it with somebody invented.")
    chosen = request.POST.get("contact", "")
    if not chosen.isdecimal():
        raise CannotTry("Choose a contact: search for an address or a name, then pick one.")
    living = Contact.objects.filter(merged_into=None, erased_at=None, pk=int(chosen[:18]))
    if not living.exists():
        raise CannotTry("This contact is not there any more.")
    return int(chosen)


def _errors(workflow: Workflow) -> list[dict[str, Any]]:
    found = [each for each in validate(workflow.draft) if each.severity == "error"]
    return [named(each, workflow.draft) for each in labels.told(found, workflow.draft)]


def _counted(number: int) -> str:
    return f"the {number} problems" if number > 1 else "the problem"


def _panel(request: HttpRequest, workflow: Workflow, errors: list[dict[str, Any]]) -> dict[str, Any]:
    trigger = mapping(mapping(workflow.draft.get("entry")).get("trigger"))
    return {
        "workflow": workflow,
        "errors": [
            {**row, "card": row["step"] if row["step"] in ports.steps_of(workflow.draft) else ""} for row in errors
        ],
        "may_see_contacts": request.user.has_perm(SEE_CONTACTS),
        "habits": HABITS,
        "units": UNITS,
        "zones": sorted(zones.known()),
        "events": [each.name for each in catalogue.event_types()[:EVENTS]],
        "asks": trigger.get("type") in ("event", "form_submitted", "api", "manual"),
        "default_zone": choose_zone(settings.DEFAULT_TIMEZONE).key,
    }


PAGES = (("trying/", trying_view, "trying"), ("trying/contacts/", contacts_view, "trying_contacts"))
