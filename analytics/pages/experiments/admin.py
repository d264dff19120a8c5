"""The list of experiments, one of them with its verdict and charts, what it asks, and what was decided."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString

from analytics.experiments import asking, register, results, rolling_out
from analytics.experiments.asking import WHY_FIXED, BadExperiment, IsOver
from analytics.experiments.rolling_out import CannotRollOut
from analytics.models import Experiment
from analytics.pages.experiments import shown, wording
from analytics.pages.experiments.settings_form import SettingsForm
from contacts import catalogue, transactions
from contacts.pages.cells import NOTHING, link, moment, pill, stacked
from contacts.pages.changelists import Empty, ReadOnlyAdmin
from contacts.pages.floors import Sample
from workflows.editing import edit_plan
from workflows.figures import figures
from workflows.models import ExperimentAssignment, Workflow
from workflows.pages import plan as plan_page
from workflows.publishing import CannotPublish, UnableToChange

OVER = "This experiment was decided already."


@admin.register(Experiment)
class ExperimentAdmin(ReadOnlyAdmin):
    list_display = ("name", "journey", "state_pill", "goal_words", "assigned", "decided")
    list_display_links = None
    list_filter = ("state",)
    ordering = ("-id",)
    search_fields = ("slug__icontains", "title__icontains")
    search_help_text = "Part of the name"
    empty = Empty(
        "science",
        "No experiments yet",
        "Put the step “Experiment” into a journey and publish it: it splits contacts between variants, and here you "
        "see which does better, and when that may be said.",
        deed=Sample("Go to the journeys", "admin:workflows_workflow_changelist", "workflows.view_workflow"),
        sample="gallery",
    )

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) or self.may_change(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def may_change(self, request: HttpRequest) -> bool:
        return request.user.has_perm("analytics.change_experiment")

    def may_roll_out(self, request: HttpRequest) -> bool:
        return self.may_change(request) and request.user.has_perm("workflows.publish_workflow")

    # -- the list -------------------------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if self.has_view_permission(request):
            transactions.run(lambda now: register.make_missing(now=now))
        return super().changelist_view(request, extra_context)

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        journeys = dict(Workflow.objects.filter(pk__in={row.workflow_id for row in rows}).values_list("pk", "name"))
        counted = dict(
            ExperimentAssignment.objects.filter(experiment__in=[row.slug for row in rows])
            .values_list("experiment")
            .annotate(Count("id"))
        )
        for row in rows:
            row.journey_name = journeys.get(row.workflow_id, "")
            row.people = counted.get(row.slug, 0)

    @admin.display(description="Experiment")
    def name(self, experiment: Experiment) -> SafeString:
        address = reverse("admin:analytics_experiment_change", args=[experiment.pk])
        return stacked(link(experiment.title or experiment.slug, address), experiment.slug if experiment.title else "")

    @admin.display(description="Journey")
    def journey(self, experiment: Any) -> SafeString:
        address = reverse("admin:workflows_workflow_change", args=[experiment.workflow_id])
        return link(experiment.journey_name, address) if experiment.journey_name else NOTHING

    @admin.display(description="State")
    def state_pill(self, experiment: Experiment) -> SafeString:
        return state_of(experiment)

    @admin.display(description="Converted when")
    def goal_words(self, experiment: Experiment) -> SafeString:
        words = register.goal_words(experiment.goal)
        return stacked(words or "not said yet", f"within {wording.window(experiment.window)}" if words else "")

    @admin.display(description="Contacts")
    def assigned(self, experiment: Any) -> str:
        return f"{experiment.people:,}"

    @admin.display(description="Decision")
    def decided(self, experiment: Experiment) -> SafeString:
        if experiment.decided_at is None:
            return NOTHING
        return stacked(wording.decision(experiment), moment(experiment.decided_at))

    # -- one experiment -------------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/settings/", wrap(self.settings_view), name="analytics_experiment_settings"),
            path("<int:pk>/decide/", wrap(self.decide_view), name="analytics_experiment_decide"),
            path("<int:pk>/roll-out/", wrap(self.roll_out_view), name="analytics_experiment_roll_out"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        experiment = self._experiment(request, object_id)
        read = transactions.run(lambda now: results.look(experiment, now=now))
        return self._page(request, "admin/analytics/experiment.html", experiment, **shown.context(read))

    def settings_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        experiment = self._experiment(request, str(pk))
        if not self.may_change(request):
            raise PermissionDenied
        names = list(register.variants(experiment).weights)
        form = SettingsForm(request.POST or None, experiment=experiment, variants=names)
        if request.method == "POST" and form.is_valid():
            try:
                transactions.run(lambda now: asking.change(experiment, form.asked(), now=now))
            except BadExperiment as error:
                form.refuse(error)
            except IsOver:
                messages.warning(request, OVER)
                return self._back(pk)
            else:
                messages.success(request, "The settings are saved.")
                return self._back(pk)
        response = self._page(
            request,
            "admin/analytics/experiment_settings.html",
            experiment,
            form=form,
            event_types=[each.name for each in catalogue.event_types()],
            why_fixed=f"What this experiment asks {WHY_FIXED}",
        )
        response.status_code = 422 if form.errors else 200
        return response

    def decide_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        experiment = self._experiment(request, str(pk))
        if request.method != "POST" or not self.may_change(request):
            raise PermissionDenied
        variant, reason = request.POST.get("variant", ""), request.POST.get("reason", "")
        by = request.user.get_username()
        try:
            transactions.run(lambda now: asking.decide(experiment, variant=variant, reason=reason, now=now, by=by))
        except BadExperiment as error:
            messages.error(request, f"Not recorded: {_said(error)}")
        except IsOver:
            messages.warning(request, OVER)
        else:
            messages.success(request, "The decision is recorded. Contacts go on as before until a version changes it.")
        return self._back(pk)

    def roll_out_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """`?variant=`: what would be published; POST publishes it."""
        experiment = self._experiment(request, str(pk))
        if not self.may_roll_out(request):
            raise PermissionDenied
        asked = request.POST if request.method == "POST" else request.GET
        variant = asked.get("variant", "")
        if variant not in register.variants(experiment).weights:
            raise Http404("There is no such variant")
        if request.method == "POST":
            return self._roll_out(request, experiment, variant)
        found, why_not = None, ""
        try:
            found = rolling_out.plan(experiment, variant)
        except CannotRollOut as error:
            why_not = str(error)
        read = transactions.run(lambda now: results.look(experiment, now=now))
        supported = read.verdict is not None and read.verdict.kind == "winner" and read.verdict.variant == variant
        return self._page(
            request,
            "admin/analytics/experiment_roll_out.html",
            experiment,
            plan=found,
            why_not=why_not,
            variant=variant,
            verdict=read.verdict,
            supported=supported,
            under_way=figures([experiment.workflow_id]).get(experiment.workflow_id),
            was_decided=experiment.state == "decided",
        )

    def _roll_out(self, request: HttpRequest, experiment: Experiment, variant: str) -> HttpResponse:
        after, by = request.POST.get("after_version", ""), request.user.get_username()
        reason = request.POST.get("reason", "") or experiment.reason
        number = int(after) if after.isascii() and after.isdecimal() and len(after) <= 9 else 0
        try:
            published = transactions.run(
                lambda now: rolling_out.roll_out(
                    experiment, variant=variant, after_version=number, reason=reason, by=by, now=now
                )
            )
        except BadExperiment as error:
            messages.error(request, f"Nothing was published: {_said(error)}")
        except IsOver:
            messages.warning(request, OVER)
        except CannotRollOut as error:
            messages.error(request, f"Nothing was published. {error}")
        except (CannotPublish, UnableToChange) as error:
            messages.error(request, f"Nothing was published: {error}.")
        else:
            messages.success(request, f"Version {published} is published: whoever enters from now on gets {variant}.")
            if people := edit_plan.under_way_elsewhere(experiment.workflow_id):
                messages.info(request, plan_page.offer(experiment.workflow_id, people))
        return self._back(experiment.pk)

    def _back(self, pk: int) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:analytics_experiment_change", args=[pk]))

    def _page(self, request: HttpRequest, template: str, experiment: Experiment, **context: Any) -> TemplateResponse:
        title = experiment.title or experiment.slug
        journey = Workflow.objects.only("name").filter(pk=experiment.workflow_id).first()
        return TemplateResponse(
            request,
            template,
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": title,
                "crumbs": self.crumbs(title),
                "row": experiment,
                "journey": journey,
                "state": state_of(experiment),
                "goal": register.goal_words(experiment.goal),
                "window": wording.window(experiment.window),
                "may_change": self.may_change(request) and experiment.state == "running",
                "may_roll_out": self.may_roll_out(request) and experiment.rolled_out_in is None,
                **context,
            },
        )

    def _experiment(self, request: HttpRequest, pk: str) -> Experiment:
        if not self.has_view_permission(request):
            raise PermissionDenied
        known = pk.isascii() and pk.isdecimal() and len(pk) <= 18
        found = Experiment.objects.filter(pk=pk).first() if known else None
        if found is None:
            raise Http404("There is no such experiment")
        return found


def state_of(experiment: Experiment) -> SafeString:
    return pill(*wording.STATES[experiment.state])


def _said(error: BadExperiment) -> str:
    return "; ".join(f"{problem.path} {problem.message}" for problem in error.problems) + "."
