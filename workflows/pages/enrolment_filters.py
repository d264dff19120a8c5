"""Which people of journeys a list shows. Steps, versions and reasons are asked of one journey alone."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from workflows import wording
from workflows.definition.sentences import mapping
from workflows.models import Workflow, WorkflowVersion
from workflows.models.enrolment import FINISHED, UNFINISHED

MOST_CHOICES = 200


class WorkflowFilter(admin.SimpleListFilter):
    title = "journey"
    parameter_name = "workflow"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in Workflow.objects.order_by("name").values_list("pk", "name")[:200]]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value() or ""
        return queryset.filter(workflow_id=value) if value.isdecimal() else queryset


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("here", "Here now"), *((state, state.capitalize()) for state in (*UNFINISHED, *FINISHED))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "here":
            return queryset.filter(state__in=UNFINISHED)
        return queryset.filter(state=self.value()) if self.value() in {*UNFINISHED, *FINISHED} else queryset


class _OfAJourney(admin.SimpleListFilter):
    """Offered where the list is one journey's. `column`: what has the value that is asked for."""

    column: ClassVar[str]

    def journey(self, request: HttpRequest) -> int | None:
        asked = request.GET.get("workflow", "")
        return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 18 else None

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        journey = self.journey(request)
        return self.choices_of(journey) if journey is not None else []

    def choices_of(self, journey: int) -> list[tuple[str, str]]:
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value() or ""
        return queryset.filter(**{self.column: value}) if value and "\x00" not in value else queryset


class StepFilter(_OfAJourney):
    """Where somebody stands, or stood at the end."""

    title = "step"
    parameter_name = "step"
    column = "step"

    def choices_of(self, journey: int) -> list[tuple[str, str]]:
        """The live version's steps, and the one that is asked for, whichever version has it."""
        live = Workflow.objects.filter(pk=journey).values_list("live_version__definition__steps", flat=True).first()
        names = {key: str(mapping(step).get("name") or key) for key, step in mapping(live).items()}
        if (asked := self.value()) and asked not in names:
            names[asked] = asked
        return sorted(names.items(), key=lambda each: each[1])[:MOST_CHOICES]


class VersionFilter(_OfAJourney):
    title = "version"
    parameter_name = "version"

    def choices_of(self, journey: int) -> list[tuple[str, str]]:
        numbers = WorkflowVersion.objects.filter(workflow=journey).order_by("-number").values_list("number", flat=True)
        return [(str(number), f"v{number}") for number in numbers[:MOST_CHOICES]]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """By the version's id, which its number says of one journey alone."""
        value, journey = self.value() or "", self.journey(request)
        if journey is None or not (value.isascii() and value.isdigit() and len(value) < 9):
            return queryset
        return queryset.filter(
            version__in=list(WorkflowVersion.objects.filter(workflow=journey, number=int(value)).defer("definition"))
        )


class ReasonFilter(_OfAJourney):
    title = "why they left"
    parameter_name = "reason"
    column = "exit_reason"

    def choices_of(self, journey: int) -> list[tuple[str, str]]:
        return [(reason, words.capitalize()) for reason, words in wording.EXITS.items()]
