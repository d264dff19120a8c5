"""What was done to a draft: who, when and what, and the way back to any of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from contacts.pages.cells import moment
from workflows import revisions

if TYPE_CHECKING:
    from workflows.pages.journeys import JourneyAdmin


def changes_view(admin: JourneyAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """GET: the changes of the draft, the last first, as a dialog."""
    workflow = admin.workflow_of(request, pk)
    rows = revisions.entries(workflow)
    names = called(row.by for row in rows)
    context = {
        "workflow": workflow,
        "rows": [(row, names[row.by], moment(row.at)) for row in rows],
        "kept": revisions.KEPT,
        "may_change": admin.has_change_permission(request, workflow) and workflow.status != "archived",
    }
    return TemplateResponse(request, "admin/workflows/builder/changes.html", context)


def called(names: Iterable[str]) -> dict[str, str]:
    """What people are called, by the names that they log in with; who is no user (a key of the API) by the name that
    was written down."""
    found = {name: name for name in names}
    users = get_user_model()._default_manager.filter(**{f"{get_user_model().USERNAME_FIELD}__in": list(found)})
    return {**found, **{user.get_username(): user.get_full_name() or user.get_username() for user in users}}


PAGES = (("changes/", changes_view, "changes"),)
