"""Adding people to a journey by hand: a segment, a condition, or pasted names; counted first, then confirmed, then
watched. And what publishing asks first, where it brings people in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString

from contacts import clock, transactions
from contacts.audiences import segments
from contacts.audiences.naming import Refused
from contacts.audiences.preview import Counted
from contacts.conditions import explain, parse
from contacts.identifiers import Identifiers
from contacts.models import Segment
from contacts.pages.cells import pill
from contacts.pages.condition_editor import EVERYBODY, ConditionField, path_of
from contacts.pages.contacts import names_of
from contacts.spelling import neat
from workflows import wording
from workflows.definition.schema import Definition
from workflows.definition.validation import validate
from workflows.entry import enrolling, entry_runs
from workflows.entry.enrolling import Answer, Asked, NotLive
from workflows.models import EntryRun, Workflow

MOST_PASTED = 1_000
MOST_SEGMENTS = 500
SHOWN_RUNS = 30
WAYS = (("segment", "A segment"), ("condition", "A condition"), ("names", "Names"))
KINDS = {"existing": "Who was there already", "schedule": "Schedule", "manual": "By hand", "api": "API"}
STATES = {"running": ("Running", "good"), "done": ("Done", "plain"), "stopped": ("Stopped", "warn")}
REFUSALS = {enrolling.UNKNOWN: "no contact is called so"}


class PeopleForm(forms.Form):
    """`people()` says who is meant, once it is valid."""

    way = forms.ChoiceField(choices=WAYS, widget=forms.RadioSelect)
    segment = forms.CharField(required=False)
    condition = ConditionField(required=False)
    names = forms.CharField(required=False, strip=False, widget=forms.Textarea)

    def clean(self) -> dict[str, Any]:
        said = dict(super().clean() or {})
        way = said.get("way")
        if way == "names" and not self.has_error("names"):
            self._clean_names(said.get("names", ""))
        elif way == "segment" and not self.has_error("segment"):
            self._clean_audience("segment", {"in_segment": said.get("segment", "")})
        elif way == "condition" and not self.has_error("condition"):
            self._clean_audience("condition", said.get("condition") or EVERYBODY)
        return said

    def _clean_audience(self, field: str, tree: Any) -> None:
        try:
            segments.validate(tree)
        except Refused as error:
            for fault in error.faults:
                where = path_of(fault.loc[1:])
                said = "Choose a segment." if field == "segment" else f"{where}: {fault.msg}"
                self.add_error(field, said)
        self.audience = tree

    def _clean_names(self, text: str) -> None:
        lines = [line.strip() for line in re.split(r"[\n,;]", text) if line.strip()]
        if not lines:
            self.add_error("names", "Paste at least one name.")
        elif len(lines) > MOST_PASTED:
            self.add_error(
                "names", f"At most {MOST_PASTED:,} names at once; for more, make a list or a segment of them."
            )
        self.lines = lines


@dataclass(frozen=True)
class Tried:
    """What would happen, as it is shown."""

    sentence: str
    entering: int | None
    estimated: bool
    total: int | None
    sample: Mapping[int, str]
    refused: list[tuple[str, int]]
    repeated: int = 0


class AddingPeople:
    """For the pages of one journey (`JourneyAdmin`)."""

    admin_site: Any

    def entry_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/add-people/", wrap(self.add_people_view), name="workflows_workflow_add_people"),
            path("<int:pk>/runs/", wrap(self.runs_view), name="workflows_workflow_runs"),
            path("<int:pk>/runs/<uuid:run>/stop/", wrap(self.stop_run_view), name="workflows_workflow_stop_run"),
            path("<int:pk>/publish/", wrap(self.publish_view), name="workflows_workflow_publish"),
        ]

    # what the page of a journey brings along
    def workflow_of(self, request: HttpRequest, object_id: Any) -> Workflow:
        raise NotImplementedError

    def frame(self, request: HttpRequest, workflow: Workflow | None, tab: str) -> dict[str, Any]:
        raise NotImplementedError

    def publish_and_tell(self, request: HttpRequest, workflow: Workflow) -> None:
        raise NotImplementedError

    def has_publish_permission(self, request: HttpRequest) -> bool:
        raise NotImplementedError

    # -- adding ---------------------------------------------------------------------------------------------------

    def add_people_view(self, request: Any, pk: int) -> HttpResponse:
        workflow = self.workflow_of(request, pk)
        may_add = self.has_publish_permission(request) and workflow.status == "live"
        form = PeopleForm(initial={"way": "segment", "condition": EVERYBODY})
        tried: Tried | None = None
        if request.method == "POST":
            if not self.has_publish_permission(request):
                raise PermissionDenied
            form = PeopleForm(request.POST)
            if form.is_valid():
                try:
                    if request.POST.get("deed") == "add":
                        return self._add(request, workflow, form)
                    tried = _try(workflow, form)
                except NotLive as error:
                    messages.error(request, f"Nobody was added: {error}.")
        context = {
            **self.frame(request, workflow, "add"),
            "form": form,
            "tried": tried,
            "may_add": may_add,
            "segments": Segment.objects.order_by("name")[:MOST_SEGMENTS],
            "runs": _runs(workflow),
            "may_stop": self.has_publish_permission(request),
        }
        status = 422 if request.method == "POST" and form.errors else 200
        return TemplateResponse(request, "admin/workflows/add_people.html", context, status=status)

    def _add(self, request: Any, workflow: Workflow, form: PeopleForm) -> HttpResponse:
        by = request.user.get_username()
        if form.cleaned_data["way"] == "names":
            answer = enrolling.enrol(_people(form.lines), workflow_id=workflow.pk, kind="manual")
            messages.success(request, _told(answer))
        else:
            counted = request.POST.get("expected", "")
            expected = int(counted) if counted.isascii() and counted.isdigit() and len(counted) < 16 else None
            transactions.run(
                lambda now: enrolling.begin(
                    workflow_id=workflow.pk, audience=form.audience, kind="manual", by=by, expected=expected, now=now
                )
            )
            messages.success(request, "They are being brought in. You can leave this page.")
        return HttpResponseRedirect(reverse("admin:workflows_workflow_add_people", args=[workflow.pk]))

    # -- runs -----------------------------------------------------------------------------------------------------

    def runs_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        """How far each run is, for the script that watches them."""
        shown = [
            {
                "id": str(each["run"].public_id),
                "state": each["run"].state,
                "share": each["share"],
                **{name: getattr(each["run"], name) for name in ("entered", "refused", "looked_at")},
            }
            for each in _runs(self.workflow_of(request, pk))
        ]
        return JsonResponse({"runs": shown})

    def stop_run_view(self, request: HttpRequest, pk: int, run: UUID) -> HttpResponse:
        if request.method != "POST" or not self.has_publish_permission(request):
            raise PermissionDenied
        workflow = self.workflow_of(request, pk)
        if not EntryRun.objects.filter(workflow=workflow, public_id=run).exists():
            raise Http404("There is no such run")
        if transactions.run(lambda now: entry_runs.stop(public_id=run, now=now)):
            messages.success(request, "Stopped. Whoever has entered stays in the journey.")
        else:
            messages.info(request, "It was over already.")
        return HttpResponseRedirect(reverse("admin:workflows_workflow_add_people", args=[pk]))

    # -- publishing -----------------------------------------------------------------------------------------------

    def asks_before_publishing(self, workflow: Workflow) -> bool:
        """Whether publishing the draft brings people in who are there already."""
        definition = _sound(workflow)
        return definition is not None and definition.entry.enrol_existing

    def question_before_publishing(self, request: HttpRequest, workflow: Workflow) -> str:
        note = urlencode({"note": request.POST.get("note", "")})
        return f"{reverse('admin:workflows_workflow_publish', args=[workflow.pk])}?{note}"

    def brought_in_by(self, workflow: Workflow, *, now: datetime) -> Tried | None:
        """Who would be brought in if the draft were published; None where it brings in nobody."""
        definition = _sound(workflow)
        if definition is None or not definition.entry.enrol_existing:
            return None
        return _brought_in(definition, workflow.pk, now=now)

    def publish_view(self, request: Any, pk: int) -> HttpResponse:
        workflow = self.workflow_of(request, pk)
        if not self.has_publish_permission(request):
            raise PermissionDenied
        definition = _sound(workflow)
        if request.method == "POST" and request.POST.get("revision") != str(workflow.draft_revision):
            messages.error(request, "Not published: somebody saved this draft after you had been asked. Look again.")
        elif request.method == "POST":
            self.publish_and_tell(request, workflow)
        if definition is None or request.method == "POST":
            return HttpResponseRedirect(reverse("admin:workflows_workflow_change", args=[pk]))
        context = {
            **self.frame(request, workflow, "edit"),
            "may_publish": False,  # by the button of this page alone
            "note": request.GET.get("note", ""),
            "tried": _brought_in(definition, pk, now=clock.now()),
            "next_version": workflow.live_version.number + 1 if workflow.live_version else 1,
        }
        return TemplateResponse(request, "admin/workflows/publish_existing.html", context)


def _brought_in(definition: Definition, workflow_id: int, *, now: datetime) -> Tried:
    with transaction.atomic():
        found = entry_runs.count(definition, workflow_id=workflow_id, kind="existing", now=now)
    return _shown(found, _who_stands_there(definition))


def _sound(workflow: Workflow) -> Definition | None:
    """The draft, where it could be published."""
    if any(problem.severity == "error" for problem in validate(workflow.draft)):
        return None
    return Definition.model_validate(workflow.draft)


def _try(workflow: Workflow, form: PeopleForm) -> Tried:
    """Raises NotLive."""
    if form.cleaned_data["way"] == "names":
        answer = enrolling.enrol(_people(form.lines), workflow_id=workflow.pk, kind="manual", dry_run=True)
        return Tried("", answer.entered, False, None, {}, _reasons(answer), answer.repeated)
    version = enrolling.live(workflow.pk).version
    assert version is not None
    with transaction.atomic():
        found = entry_runs.count(
            version.definition, workflow_id=workflow.pk, kind="manual", audience=form.audience, now=clock.now()
        )
    return _shown(found, "" if form.audience == EVERYBODY else explain(parse(form.audience)))


def _shown(found: Counted, sentence: str) -> Tried:
    return Tried(sentence, found.count, found.estimated, found.total, names_of(found.sample), [])


def _who_stands_there(definition: Definition) -> str:
    trees = [tree for tree in (definition.entry.audience, definition.entry.trigger.standing()) if tree is not None]
    return explain(parse({"all": trees})) if trees else ""


def _reasons(answer: Answer) -> list[tuple[str, int]]:
    counts = Counter(reason for _, reason in answer.refused)
    return [(REFUSALS.get(reason) or wording.refusal(reason), count) for reason, count in counts.most_common()]


def _told(answer: Answer) -> str:
    told = f"Entered: {answer.entered:,}."
    if answer.refused:
        reasons = "; ".join(f"{words} ({count:,})" for words, count in _reasons(answer))
        told += f" Not let in: {len(answer.refused):,}: {reasons}."
    return told


def _people(lines: list[str]) -> list[Asked]:
    """An id, an address, or an external id."""
    return [_person(line) for line in lines]


def _person(line: str) -> Asked:
    try:
        return Asked(public_id=UUID(line))
    except ValueError:
        return Asked(identifiers=Identifiers(email=line) if "@" in line else Identifiers(external_id=line))


def _runs(workflow: Workflow) -> list[dict[str, Any]]:
    runs = EntryRun.objects.filter(workflow=workflow).select_related("version").defer("version__definition")
    return [
        {
            "run": run,
            "share": entry_runs.share(run),
            "percent": int(100 * entry_runs.share(run)),
            "kind": KINDS[run.kind],
            "state": state_of(run),
            "audience": neat(run.audience) if run.audience is not None else "",
        }
        for run in runs.order_by("-id")[:SHOWN_RUNS]
    ]


def state_of(run: EntryRun) -> SafeString:
    return pill(*STATES[run.state])
