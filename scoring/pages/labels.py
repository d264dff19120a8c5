"""What the stages are called here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextInputWidget

from contacts import transactions
from contacts.pages.changelists import ReadOnlyAdmin
from scoring.lifecycle import labels
from scoring.models import StageLabel
from scoring.rulesets.rules import BadRules


class LabelsForm(forms.Form):
    """A field for each stage; left empty, the stage is called as we call it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = labels.labels()
        for stage, ours in labels.OURS.items():
            self.fields[stage] = forms.CharField(
                label=stage,
                required=False,
                max_length=labels.MAX_LABEL,
                initial=known[stage],
                widget=UnfoldAdminTextInputWidget(attrs={"placeholder": ours}),
            )


@admin.register(StageLabel)
class StageLabelAdmin(ReadOnlyAdmin):
    title_of_list = "Names of stages"

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        may_change = request.user.has_perm("scoring.change_stagelabel")
        if not (may_change or request.user.has_perm("scoring.view_lifecycleevent")):
            raise PermissionDenied
        if request.method == "POST" and not may_change:
            raise PermissionDenied
        form = LabelsForm(request.POST or None)
        if request.method == "POST" and form.is_valid() and self._rename(request, form):
            return HttpResponseRedirect(reverse("admin:scoring_stagelabel_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Lifecycle",
            "crumbs": [("Lifecycle", reverse("admin:scoring_lifecycleevent_changelist")), ("Names", "")],
            "tab": "names",
            "form": form,
            "names": list(labels.labels().items()),
            "may_change": may_change,
        }
        return TemplateResponse(request, "admin/scoring/stage_names.html", context)

    def _rename(self, request: HttpRequest, form: LabelsForm) -> bool:
        try:
            transactions.run(lambda now: labels.rename(form.cleaned_data))
        except BadRules as error:
            for problem in error.problems:
                form.add_error(
                    problem.path.removeprefix("labels."), f"{problem.message[:1].upper()}{problem.message[1:]}"
                )
            return False
        messages.success(
            request, "Saved. The stages are called so from now on; conditions and journeys go on as before."
        )
        return True
