"""A new journey: from scratch, from a sample, or from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from contacts import clock
from contacts.pages import floors
from workflows import gallery, importing, publishing
from workflows.builder.layout.miniature import miniature
from workflows.builder.picture import picture
from workflows.definition import reading
from workflows.definition.sentences import mapping
from workflows.gallery import LONGEST_SLUG, free_slug
from workflows.models import Workflow

if TYPE_CHECKING:
    from workflows.pages.journeys import JourneyAdmin

LARGEST = 2_000_000  # bytes of a file, with the templates in it
LONGEST_NAME = 200
MAY_WRITE_TEMPLATES = ("delivery.add_template", "delivery.change_template")


class Unusable(ValueError):
    """No journey can be begun with this; the message says why."""


def new_journey_view(admin: JourneyAdmin, request: HttpRequest) -> HttpResponse:
    """POST `begin`: `scratch` (with `name`), `sample` (with `sample`), or `file` (with the file): a draft is made, and
    its builder is opened."""
    if not admin.has_add_permission(request):
        raise PermissionDenied
    refused = ""
    if request.method == "POST":
        try:
            workflow = _begun(request)
        except Unusable as error:
            refused = str(error)
        else:
            return HttpResponseRedirect(reverse("admin:workflows_workflow_change", args=[workflow.pk]))
    found = gallery.samples()
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "title": "New journey",
        "crumbs": admin.crumbs("New journey"),
        "samples": [(sample, miniature(sample.definition)) for sample in found],
        "categories": sorted({sample.category for sample in found}),
        "refused": refused,
    }
    return TemplateResponse(request, "admin/workflows/journey_new.html", context, status=422 if refused else 200)


def empty(*, name: str, slug: str) -> dict[str, Any]:
    """A draft that has everything still before it: no trigger, no step."""
    return {
        "schema": 1,
        "name": name,
        "slug": slug,
        "entry": {"re_entry": {"policy": "never"}},
        "settings": {},
        "start": None,
        "steps": {},
    }


def _begun(request: HttpRequest) -> Workflow:
    """Raises Unusable."""
    begin, by = request.POST.get("begin"), request.user.get_username()
    if begin == "scratch":
        name = " ".join(request.POST.get("name", "").replace("\0", "").split())[:LONGEST_NAME] or "New journey"
        definition = empty(name=name, slug=free_slug(name))
        return publishing.save_draft(definition=definition, now=clock.now(), by=by, what="Began")
    if begin == "sample":
        with transaction.atomic():
            return _stored(_of_sample(request.POST.get("sample", ""), request), request, by=by)
    if begin == "file":
        return _stored(_of_file(request), request, by=by)
    raise Unusable("Say what to begin with.")


def preview_view(admin: JourneyAdmin, request: HttpRequest, key: str) -> HttpResponse:
    """A sample's map, to look at."""
    sample = gallery.find(key) if admin.has_add_permission(request) else None
    if sample is None:
        raise Http404("There is no such sample")
    context = {"sample": sample, "picture": picture(sample.definition)}
    return TemplateResponse(request, "admin/workflows/sample.html", context)


def _of_sample(key: str, request: HttpRequest) -> dict[str, Any]:
    """With the lists and segments that it needs."""
    try:
        document = gallery.document_of(key)
    except LookupError as error:
        raise Http404("There is no such sample") from error
    if left_out := gallery.furnish(document, now=clock.now()):
        messages.info(request, f"{' and '.join(left_out).capitalize()} was left out: you may not make it.")
    return document


def _of_file(request: HttpRequest) -> dict[str, Any]:
    sent = request.FILES.get("file")
    if sent is None:
        raise Unusable("Choose a file.")
    if (sent.size or 0) > LARGEST:
        raise Unusable("This file is too large for a journey.")
    try:
        document = reading.read(sent.read().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Unusable("This file is no text in UTF-8.") from error
    except reading.UnreadableFile as error:
        raise Unusable(f"This file is neither YAML nor JSON: {error}.") from error
    if not isinstance(document, dict):
        raise Unusable("This file holds no definition of a journey.")
    definition = mapping(document.get("workflow", document))
    slug = definition.get("slug")
    if isinstance(slug, str) and Workflow.objects.filter(slug=slug[:LONGEST_SLUG]).exists():
        raise Unusable(
            f"There is a journey with the slug “{slug}” already. To change that one, put the text of the file into its "
            "“Text” page; for another journey, give it another slug in the file."
        )
    return document


def _stored(document: dict[str, Any], request: HttpRequest, *, by: str) -> Workflow:
    if document.get("templates") and not request.user.has_perms(MAY_WRITE_TEMPLATES):
        document = {**document, "templates": []}
        messages.info(request, "The templates in it were left out: you may not write templates.")
    try:
        with transaction.atomic():
            imported = importing.import_document(document, by=by, publish=False, now=clock.now())
    except importing.BadDocument as error:
        raise Unusable(f"This cannot be read as a journey: {error}.") from error
    if count := len(imported.problems):
        messages.warning(request, f"It is a draft with {count} problem{'' if count == 1 else 's'} to solve.")
    return Workflow.objects.get(slug=imported.slug)


floors.register_sample(
    "gallery",
    floors.Sample("See sample journeys", "admin:workflows_workflow_add", "workflows.add_workflow", "#gallery"),
)
