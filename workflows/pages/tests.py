"""A journey's tests: the cases that are kept with it, and a run of them that is told line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from contacts import transactions
from contacts.spelling import neat
from workflows.definition import reading
from workflows.journey_tests import document, keeping, process
from workflows.journey_tests.document import BadTestFile

STARTER: dict[str, Any] = {
    "contacts": [{"id": "ada", "email": "ada@example.com", "timezone": "Europe/Berlin", "attributes": {}}],
    "cases": [
        {
            "name": "who signs up is welcomed",
            "when": [{"at": "2025-03-08T15:00:00Z", "track": {"contact": "ada", "type": "signed_up"}}],
            "then": [
                {"at": "2025-03-08T15:00:00Z", "sent": {"contact": "ada", "template": "welcome", "times": 1}},
                {"at": "2025-03-10T15:00:00Z", "enrolment": {"contact": "ada", "state": "completed", "step": None}},
            ],
        }
    ],
}
LARGEST = 1_000_000  # characters


def tests(admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """The editor. The tests are run as they stand in it, against the saved draft."""
    workflow = admin.workflow_of(request, pk)
    may_change = admin.has_change_permission(request, workflow)
    text, faults = neat(keeping.kept(pk) or STARTER), []
    if request.method == "POST":
        if not may_change:
            raise PermissionDenied
        text = request.POST.get("tests", "").replace("\r\n", "\n")
        try:
            stated = _read(text)
            by = request.user.get_username()
            transactions.run(lambda now: keeping.keep(workflow, stated, by=by, now=now))
        except BadTestFile as error:
            faults = [document.said(fault) for fault in error.faults]
        else:
            messages.success(request, "The tests are saved.")
            return HttpResponseRedirect(reverse("admin:workflows_workflow_tests", args=[pk]))
    context = {
        **admin.frame(request, workflow, "tests"),
        "text": text,
        "faults": faults,
        "may_test": may_change,
        "deeds": [*document.DEEDS, document.TICK],
        "checks": list(document.CHECKS),
    }
    return TemplateResponse(request, "admin/workflows/journey_tests.html", context, status=422 if faults else 200)


def run(admin: Any, request: HttpRequest, pk: int) -> HttpResponse | StreamingHttpResponse:
    """Lines of JSON: how many cases there are, each case, the summary; or what is wrong with the text."""
    workflow = admin.workflow_of(request, pk)
    if request.method != "POST" or not admin.has_change_permission(request, workflow):
        raise PermissionDenied
    try:
        file = keeping.file_of(workflow, _read(request.POST.get("tests", "")))
        number = len(document.understand(file).cases)
    except BadTestFile as error:
        told = iter([_line({"errors": [document.said(fault) for fault in error.faults]})])
    else:
        told = _told(number, file)
    response = StreamingHttpResponse(told, content_type="application/x-ndjson")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"  # a proxy hands each line on
    return response


PAGES = (("tests/", tests, "tests"), ("tests/run/", run, "tests_run"))


def _told(number: int, file: Mapping[str, Any]) -> Iterator[str]:
    yield _line({"begins": number})
    yield from process.lines(file)


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _read(text: str) -> Mapping[str, Any]:
    """Raises BadTestFile."""
    if len(text) > LARGEST:
        raise BadTestFile([document.Fault("too_long", "this is too long for tests")])
    try:
        stated = reading.read(text)
    except reading.UnreadableFile as error:
        raise BadTestFile([document.Fault("unreadable", f"neither JSON nor YAML: {error}")]) from error
    if not isinstance(stated, dict):
        raise BadTestFile([document.Fault("type", "expected an object with `contacts` and `cases`")])
    unknown = [str(name) for name in stated if name not in keeping.PARTS]
    if unknown:
        known = ", ".join(keeping.PARTS)
        raise BadTestFile([document.Fault("unknown", f"is none of {known}", (name,)) for name in unknown])
    return stated
