"""The panel of a step: its settings as a form, and what is saved there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.template.response import TemplateResponse

from contacts.conditions.catalogue import describe
from workflows.builder import ports
from workflows.builder.forms import form
from workflows.builder.forms.control import ABSENT, Field
from workflows.builder.forms.controls.arms import renamed
from workflows.builder.operations import configuring
from workflows.builder.operations.change import Refused, name_of
from workflows.definition import shown
from workflows.definition.conditions import STEP_SCOPE
from workflows.definition.problems import Problem
from workflows.definition.sentences import mapping
from workflows.definition.shown import Shown
from workflows.definition.validation import validate
from workflows.models import Workflow
from workflows.pages.builder import operations
from workflows.steps import registry
from workflows.steps.base import StepType

if TYPE_CHECKING:
    from workflows.pages.journeys import JourneyAdmin

SKIP = Shown(
    "Skip it if",
    control="condition",
    help="Asked when the contact arrives here. Whoever it is true of goes on to the next step at once.",
    scope=STEP_SCOPE,
)
WITH_KEYS = ("arms", "variants")  # settings whose rows are known by keys, which are paths, too


def step_view(admin: JourneyAdmin, request: HttpRequest, pk: int, step: str) -> HttpResponse | JsonResponse:
    """GET: the panel. POST: what was filled in becomes the step's settings, whatever is wrong with them: a draft may be
    unfinished."""
    workflow = admin.workflow_of(request, pk)
    if request.method != "POST":
        return TemplateResponse(request, "admin/workflows/builder/step.html", context(admin, request, workflow, step))
    if not admin.has_change_permission(request, workflow):
        raise PermissionDenied
    return operations.answered(admin, request, workflow, lambda held: _save(held, step, request))


def conditions_view(admin: JourneyAdmin, request: HttpRequest, pk: int) -> JsonResponse:
    """GET: what conditions may ask about, for their editor (`contacts.conditions.catalogue.describe`)."""
    admin.workflow_of(request, pk)
    return JsonResponse(describe())


def context(admin: JourneyAdmin, request: HttpRequest, workflow: Workflow, key: str) -> dict[str, Any]:
    steps = ports.steps_of(workflow.draft)
    if key not in steps:
        raise Http404("There is no such step")
    step = mapping(steps[key])
    kind = registry.find(str(step.get("type")))
    problems = [problem for problem in validate(workflow.draft) if problem.step == key]
    fields = _fields(kind, step, problems)
    skip = (
        form.field("skip_if", SKIP, step.get("skip_if", ABSENT), problems=problems) if _may_skip(kind, step) else None
    )
    return {
        "workflow": workflow,
        "key": key,
        "kind": kind,
        "name": name_of(workflow.draft, key),
        "given_name": step.get("name") or "",
        "fields": fields,
        "skip": skip,
        "skip_open": skip is not None and (step.get("skip_if") is not None or bool(skip.wrong)),
        "messages": _elsewhere(problems, [*fields, *([skip] if skip else [])], mapping(step.get("config"))),
        "ways": [
            (ports.caption(step, port), name_of(workflow.draft, target) if target in steps else "")
            for port, target in ports.ways(step)
        ],
        "may_change": admin.has_change_permission(request, workflow) and workflow.status != "archived",
    }


def _fields(kind: StepType | None, step: Mapping[str, Any], problems: list[Problem]) -> list[Field]:
    config = step.get("config")
    if kind is None or (config is not None and not isinstance(config, Mapping)):
        return [form.field("config", _WHOLE, config, problems=problems)]
    return form.fields(kind.Config, mapping(config), below="config", problems=problems)


_WHOLE = Shown("Settings", control="json")


def _may_skip(kind: StepType | None, step: Mapping[str, Any]) -> bool:
    """Whoever skips a step goes on through a way out, so there must be one."""
    return step.get("skip_if") is not None or kind is None or bool(kind.rough_ports(mapping(step.get("config"))))


def _elsewhere(problems: list[Problem], fields: list[Field], config: Mapping[str, Any]) -> list[str]:
    """What is wrong and stands at no field that can be seen."""
    seen = [field.name for field in fields if _is_seen(field, config)]
    found = [
        problem.message
        for problem in problems
        if not any(problem.field == name or problem.field.startswith(f"{name}.") for name in seen)
    ]
    return list(dict.fromkeys(found))


def _is_seen(field: Field, config: Mapping[str, Any]) -> bool:
    return all(str(config.get(other, "")) in values for other, values in field.shown.when.items())


def _save(workflow: Workflow, key: str, request: HttpRequest) -> tuple[str, str | None]:
    step = mapping(ports.steps_of(workflow.draft).get(key))
    if not step:
        raise Refused("This step is not there any more.")
    kind = registry.find(str(step.get("type")))
    made = configuring.configure(
        workflow.draft,
        step=key,
        name=request.POST.get("name", "").strip(),
        config=_config(kind, step, request.POST),
        skip_if=_skip_if(kind, step, request.POST),
        renamed=_renamed(kind, request.POST),
    )
    return operations.change(workflow, made, request)


def _config(kind: StepType | None, step: Mapping[str, Any], data: QueryDict) -> Any:
    config = step.get("config")
    if kind is None or (config is not None and not isinstance(config, Mapping)):
        found = form.read_field("config", _WHOLE, data, was=config)
        return {} if found is ABSENT else found
    return form.read(kind.Config, data, below="config", given=mapping(config))


def _skip_if(kind: StepType | None, step: Mapping[str, Any], data: QueryDict) -> Any:
    if "skip_if" not in data or not _may_skip(kind, step):
        return step.get("skip_if")
    found = form.read_field("skip_if", SKIP, data, was=step.get("skip_if", ABSENT))
    return None if found is ABSENT else found


def _renamed(kind: StepType | None, data: QueryDict) -> dict[str, str]:
    """Paths that are called otherwise now: what follows on them goes with them."""
    settings = shown.fields(kind.Config) if kind else {}
    return {
        was: now
        for name, (_, said) in settings.items()
        if said.control in WITH_KEYS
        for was, now in renamed(data, f"config.{name}").items()
    }


PAGES = (("step/<str:step>/", step_view, "step"), ("conditions/", conditions_view, "conditions"))
