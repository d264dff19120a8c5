"""A journey's rehearsals: choose a period, watch how far it is, read what would have happened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from contacts import clock, transactions
from contacts.collect.parsing import parse_instant
from contacts.pages.cells import pill
from workflows import rehearsals
from workflows.builder import ports
from workflows.definition.sentences import mapping
from workflows.models import Rehearsal, Workflow, WorkflowVersion
from workflows.pages import rehearsal_map
from workflows.rehearsal import asking
from workflows.rehearsal.asked import CLOCKS, RECORDED, Asked, CannotRehearse
from workflows.rehearsal.telling import STATES as STANDING
from workflows.rehearsal.telling import WHAT, span

SHOWN = 10
STATES = {
    "queued": ("In the queue", "info"),
    "running": ("Running", "good"),
    "stopping": ("Stopping", "warn"),
    "done": ("Done", "plain"),
    "failed": ("Not done", "bad"),
    "stopped": ("Stopped", "warn"),
}
MOMENTS = (("1", "Exact: to the second"), ("60", "To the minute"), ("600", "Quick: to ten minutes"))
OPEN = ("queued", "running", "stopping")


def rehearsal(admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """The form, and the last rehearsals. POST asks for one."""
    workflow = admin.workflow_of(request, pk)
    may_rehearse = admin.has_change_permission(request, workflow)
    today = clock.now().astimezone(UTC).date()
    form = {
        "since": (today - timedelta(days=30)).isoformat(),
        "until": today.isoformat(),
        "version": "",
        "sample": "100",
        "moment": "60",
        "clock": RECORDED,
    }
    refused = ""
    if request.method == "POST":
        if not may_rehearse:
            raise PermissionDenied
        form |= {name: request.POST.get(name, "").strip() for name in form}
        try:
            asked, by = _asked(workflow, form, run_out="run_out" in request.POST), request.user.get_username()
            row = transactions.run(lambda now: asking.ask(asked, by=by, now=now))
        except CannotRehearse as error:
            refused = str(error)
        else:
            return HttpResponseRedirect(reverse("admin:workflows_workflow_rehearsal_run", args=[pk, row.pk]))
    found = Rehearsal.objects.filter(workflow=workflow).defer("report").order_by("-id")[:SHOWN]
    numbers = WorkflowVersion.objects.filter(workflow=workflow).order_by("-number").values_list("number", flat=True)
    context = {
        **admin.frame(request, workflow, "rehearsal"),
        "form": form,
        "refused": refused,
        "may_rehearse": may_rehearse,
        "versions": numbers,
        "moments": MOMENTS,
        "rows": [(row, pill(*STATES[row.state])) for row in found],
    }
    return TemplateResponse(request, "admin/workflows/rehearsal.html", context, status=422 if refused else 200)


def one(admin: Any, request: HttpRequest, pk: int, rehearsal_id: int) -> HttpResponse:
    """How far one is, or its report. POST stops it."""
    workflow = admin.workflow_of(request, pk)
    row = _find(workflow, rehearsal_id)
    if request.method == "POST":
        if not admin.has_change_permission(request, workflow):
            raise PermissionDenied
        transactions.run(lambda now: rehearsals.stop(row.pk, now=now))
        messages.success(request, "It ends, and leaves nothing behind.")
        return HttpResponseRedirect(request.path)
    definition = _definition(row, row.report) if row.report else None
    context = {
        **admin.frame(request, workflow, "rehearsal"),
        "row": row,
        "state": pill(*STATES[row.state]),
        "open": row.state in OPEN,
        "percent": _percent(row),
        "may_rehearse": admin.has_change_permission(request, workflow),
        "report": _shown(row.report, definition) if row.report else None,
        "map": rehearsal_map.drawn_map(definition, row.report) if row.report and definition else None,
        "is_fullwidth": True,
    }
    return TemplateResponse(request, "admin/workflows/rehearsal_run.html", context)


def progress(admin: Any, request: HttpRequest, pk: int, rehearsal_id: int) -> HttpResponse:
    row = _find(admin.workflow_of(request, pk), rehearsal_id)
    return JsonResponse(
        {
            "open": row.state in OPEN,
            "percent": _percent(row),
            "words": _words(row),
        }
    )


PAGES = (
    ("rehearsal/", rehearsal, "rehearsal"),
    ("rehearsal/<int:rehearsal_id>/", one, "rehearsal_run"),
    ("rehearsal/<int:rehearsal_id>/progress/", progress, "rehearsal_progress"),
)


def _find(workflow: Workflow, rehearsal_id: int) -> Rehearsal:
    row = Rehearsal.objects.filter(workflow=workflow, pk=rehearsal_id).first()
    if row is None:
        raise Http404("There is no such rehearsal")
    return row


def _asked(workflow: Workflow, form: dict[str, str], *, run_out: bool) -> Asked:
    """Raises CannotRehearse."""
    try:
        sample, moment = float(form["sample"]), timedelta(seconds=float(form["moment"]))
        version = int(form["version"]) if form["version"] else None
    except (ValueError, OverflowError) as error:
        raise CannotRehearse("the sample is a number, and so is the version") from error
    if form["clock"] not in CLOCKS:
        raise CannotRehearse("say when an event happens: when it was recorded, or when it occurred")
    return Asked(
        slug=workflow.slug,
        since=_midnight(form["since"]),
        until=_midnight(form["until"]),
        version=version,
        sample=sample,
        clock=form["clock"],
        run_out=run_out,
        moment=moment,
    )


def _midnight(day: str) -> datetime:
    found = parse_instant(f"{day}T00:00:00Z")
    if not isinstance(found, datetime):
        raise CannotRehearse("the period needs two dates, such as 2026-03-01")
    return found


def _percent(row: Rehearsal) -> int:
    if row.state == "done":
        return 100
    if row.played_to is None:
        return 0
    return min(round((row.played_to - row.since) * 100 / (row.until - row.since)), 100)


def _words(row: Rehearsal) -> str:
    if row.state == "queued":
        return "It begins as soon as no other rehearsal runs."
    if row.played_to is None:
        return "Copying contacts and their past."
    return f"It is {row.played_to.astimezone(UTC):%-d %B %Y, %H:%M} in the rehearsal; {row.played:,} facts so far."


def _definition(row: Rehearsal, report: dict[str, Any]) -> Mapping[str, Any] | None:
    """That was rehearsed; None of a report from before it was kept, and steps were counted."""
    if "steps" not in report:
        return None
    if report["definition"] is not None:
        return mapping(report["definition"])
    number = report["version"]  # the report is of a version, where it keeps no draft
    return mapping(WorkflowVersion.objects.get(workflow=row.workflow_id, number=number).definition)


def _caption(definition: Mapping[str, Any] | None, step: str, port: str) -> str:
    """What stands at the path on the map."""
    known = ports.steps_of(definition).get(step) if definition else None
    return ports.caption(known, port) or port


def _shown(report: dict[str, Any], definition: Mapping[str, Any] | None) -> dict[str, Any]:
    """The report with what the charts need: heights in percent of the highest bar."""
    most = max((day["sent"] + day["held_back"] for day in report["days"]), default=0) or 1
    days = [
        {**day, "height": day["sent"] * 100 / most, "held": day["held_back"] * 100 / most} for day in report["days"]
    ]
    for day in days:
        day["top"], day["held_top"] = 100 - day["height"], 100 - day["height"] - day["held"]
    spent = report["spent"]
    return {
        **report,
        "days": days,
        "ways": [
            {
                **way,
                "ports": [
                    (_caption(definition, way["step"], port["name"]), port["count"], share)
                    for port, share in zip(way["ports"], way["shares"], strict=True)
                ],
            }
            for way in report["ways"]
        ],
        "spent": {name: span(spent[name]) for name in ("median", "ninetieth", "longest")} if spent else None,
        "states": [{**each, "label": STANDING.get(each["name"], each["name"])} for each in report["states"]],
        "differences": [
            {**each, "label": WHAT.get(each["name"], each["name"])}
            for each in (report["comparison"] or {}).get("differences", ())
        ],
        "examples": [
            {**each, "label": WHAT.get(each["what"], each["what"])}
            for each in (report["comparison"] or {}).get("examples", ())
        ],
        "held_back_sum": sum(each["count"] for each in report["held_back"]),
        "refused_sum": sum(each["count"] for each in report["refused"]),
        "stuck_sum": sum(each["count"] for each in report["stuck"]),
    }
