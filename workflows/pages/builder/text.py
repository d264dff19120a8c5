"""A journey's draft as a text, YAML or JSON, with its problems beside it: saved as a whole, never over what somebody
else saved meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from contacts import clock
from workflows import publishing, revisions
from workflows.definition import writing
from workflows.models import Workflow
from workflows.pages.drafts import BadDraft, problem_rows, read_draft

if TYPE_CHECKING:
    from workflows.pages.journeys import JourneyAdmin

FORMS = {"yaml": "YAML", "json": "JSON"}


class Overtaken(BadDraft):
    """Somebody else saved the draft since this text was opened."""


def text_view(admin: JourneyAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """GET `?as=yaml` or `json`. POST `draft`, `as` and the `revision` that it was made from; with `_publish` it is
    published as well. 409 where it was overtaken; nothing is overwritten, and the text is kept in the editor."""
    workflow = admin.workflow_of(request, pk)
    if request.method != "POST":
        form = _form(request.GET.get("as", ""))
        return _page(admin, request, workflow, writing.written(workflow.draft, form).rstrip("\n"), form)
    if not admin.has_change_permission(request, workflow):
        raise PermissionDenied
    if "_publish" in request.POST and not admin.has_publish_permission(request):
        raise PermissionDenied
    form = _form(request.POST.get("as", ""))
    text = request.POST.get("draft", "").replace("\r\n", "\n")
    try:
        saved = _save(workflow, text, form, request.POST.get("revision", ""), by=request.user.get_username())
    except BadDraft as error:
        return _page(admin, request, workflow, text, form, refused=error)
    if "_publish" in request.POST:
        if admin.asks_before_publishing(saved):
            return HttpResponseRedirect(admin.question_before_publishing(request, saved))
        admin.publish_and_tell(request, saved)
    else:
        messages.success(request, "The draft is saved.")
    return HttpResponseRedirect(f"{address(workflow)}?{urlencode({'as': form})}")


def check_view(admin: JourneyAdmin, request: HttpRequest) -> HttpResponse:
    """The problems of the draft as it stands in the editor, as the page shows them."""
    if request.method != "POST" or not admin.has_view_permission(request):
        raise PermissionDenied
    context = _judged(request.POST.get("draft", "").replace("\r\n", "\n"), _form(request.POST.get("as", "")))
    return TemplateResponse(request, "admin/workflows/problems.html", context)


def address(workflow: Workflow) -> str:
    return reverse("admin:workflows_workflow_text", args=[workflow.pk])


def _form(said: str) -> str:
    return said if said in FORMS else "yaml"


def _judged(text: str, form: str) -> dict[str, Any]:
    """What the list of problems is made from."""
    try:
        definition = read_draft(text, anything=True, form=form)
    except BadDraft as error:
        return {"unreadable": str(error), "offset": error.offset}
    return {"problems": problem_rows(definition, yaml_text=text if form == "yaml" else None)}


def _save(workflow: Workflow, text: str, form: str, revision: str, *, by: str) -> Workflow:
    """Store the draft. Raises BadDraft, Overtaken."""
    definition = read_draft(text, form=form)
    with transaction.atomic():
        try:
            stored = revisions.held(workflow.pk, revision=int(revision) if revision.isdecimal() else -1)
        except revisions.Stale as stale:
            raise Overtaken(
                "Somebody saved this draft after you had opened it. Nothing was overwritten: copy what you changed, "
                "open the journey again, and put it in there."
            ) from stale
        if stored.status == "archived":
            raise BadDraft("An archived journey is not changed any more.")
        if definition["slug"] != stored.slug:
            raise BadDraft(f"The slug must stay “{stored.slug}”: under another one this would be another journey.")
        if definition == stored.draft:
            return stored
        return publishing.save_draft(definition=definition, now=clock.now(), by=by, what="Changed as text")


def _page(
    admin: JourneyAdmin,
    request: HttpRequest,
    workflow: Workflow,
    text: str,
    form: str,
    *,
    refused: BadDraft | None = None,
) -> HttpResponse:
    may_change = admin.has_change_permission(request, workflow) and workflow.status != "archived"
    context = {
        **admin.frame(request, workflow, "text"),
        **_judged(text, form),
        "text": text,
        "form": form,
        "forms": FORMS,
        "refused": str(refused) if refused else "",
        "may_change": may_change,
        "may_publish": may_change and admin.has_publish_permission(request),
    }
    return TemplateResponse(
        request, "admin/workflows/journey.html", context, status=409 if isinstance(refused, Overtaken) else 200
    )


PAGES = (("text/", text_view, "text"),)
