"""A contact's stage, changed by hand: where to, and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from contacts import transactions
from contacts.models import Contact
from contacts.pages import floors
from contacts.pages.contact_deeds import page_of
from scoring.api.lifecycle import LONGEST_REASON, reason_fault
from scoring.lifecycle import stages

PERMISSION = "contacts.change_contact"
SOURCE = "admin"

floors.register_action("Change stage", "admin:scoring_lifecycleevent_move", PERMISSION, "trending_up", place=30)


class MoveForm(forms.Form):
    to = forms.ChoiceField(label="New stage", widget=UnfoldAdminSelectWidget)
    reason = forms.CharField(
        max_length=LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="For whoever reads the contact's history later",
    )

    def __init__(self, *args: Any, current: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [(stage, label) for stage, label in stages.labels().items() if stage != current]
        self.fields["to"].choices = [("", "Choose a stage"), *offered]  # type: ignore[attr-defined]

    def clean_reason(self) -> str:
        reason: str = self.cleaned_data["reason"]
        if fault := reason_fault(reason):
            raise forms.ValidationError(f"The reason {fault}.")
        return reason.strip()


def actor_of(request: HttpRequest) -> str:
    return f"staff:{request.user.get_username()}"


def move_view(request: HttpRequest, site: AdminSite, contact_id: int) -> HttpResponse:
    """The page that asks, and the move itself, told on the contact's page."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    contact = Contact.objects.filter(pk=contact_id, merged_into=None, erased_at=None).first()
    if contact is None:
        raise Http404("There is no such contact")
    current = stages.current_stages([contact_id]).get(contact_id, stages.NO_STAGE)
    form = MoveForm(request.POST or None, current=current)
    if request.method == "POST" and form.is_valid():
        to_stage = form.cleaned_data["to"]
        _move(request, contact_id, to_stage, form.cleaned_data["reason"])
        return HttpResponseRedirect(page_of(contact_id))
    context = {
        **site.each_context(request),
        "title": "Change stage",
        "crumbs": [
            ("Contacts", reverse("admin:contacts_contact_changelist")),
            (str(contact), page_of(contact_id)),
            ("Change stage", ""),
        ],
        "contact": contact,
        "back": page_of(contact_id),
        "current": stages.label(current) if current else "",
        "form": form,
    }
    return TemplateResponse(request, "admin/scoring/move.html", context)


def _move(request: HttpRequest, contact_id: int, to_stage: str, reason: str) -> None:
    def work(now: datetime) -> list[int]:
        return stages.move(
            contact_ids=[contact_id],
            to_stage=to_stage,
            reason=reason,
            source=SOURCE,
            now=now,
            actor=actor_of(request),
        )

    name = stages.label(to_stage)
    if transactions.run(work):
        messages.success(request, f"The stage is {name} now.")
    else:
        messages.warning(request, f"Nothing changed: the stage was {name} already.")
