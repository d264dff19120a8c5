"""Entries over HTTP: enrolling people and audiences, and the runs that bring them in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.audiences import segments
from contacts.audiences.naming import Refused
from contacts.collect import strict_json
from contacts.faults import Fault
from contacts.identifiers import KINDS, Identifiers
from contacts.models import Contact
from contacts.paging import NewestFirst, Page
from contacts.problems import BadRequest
from workflows.api.workflows import Conflict, conflict, find
from workflows.entry import enrolling, entry_runs
from workflows.entry.enrolling import Asked, LedHere, NotLive
from workflows.models import EntryRun, Workflow

MOST_CONTACTS = 1000
FIELDS = frozenset({"contact", "contacts", "audience", "properties", "lane", "dry_run"})

_PERSON = {
    "oneOf": [
        {"type": "string", "format": "uuid"},
        {
            "type": "object",
            "minProperties": 1,
            "properties": {kind: {"type": "string"} for kind in ("id", *KINDS)},
        },
    ]
}
_ENROL = {
    "application/json": {
        "type": "object",
        "description": "One of `contacts`, `contact` (a single one) and `audience`.",
        "properties": {
            "contacts": {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_CONTACTS,
                "items": _PERSON,
            },
            "contact": _PERSON,
            "audience": {"type": "object", "description": 'A condition, or {"segment": slug}.'},
            "properties": {"type": "object", "description": "What `trigger.*` means in the journey."},
            "lane": {"type": "string", "enum": ["urgent", "bulk"], "description": "Of `contacts`; else the journey's."},
            "dry_run": {"type": "boolean", "description": "Only say what would happen."},
        },
    }
}


class RefusedShape(serializers.Serializer[Any]):
    """`contact` as it was sent. `reason`: unknown_contact · audience · rollout · holdout · re_entry · restricted ·
    contact_erased · loop · too_often."""

    contact = serializers.JSONField()
    reason = serializers.CharField()


class EnrolledShape(serializers.Serializer[Any]):
    """`repeated` named the same person as one before."""

    entered = serializers.IntegerField()
    refused = RefusedShape(many=True)
    repeated = serializers.IntegerField()
    dry_run = serializers.BooleanField()


class EntryRunShape(serializers.ModelSerializer[EntryRun]):
    """`expected`: how many were counted before it began; null: it was not counted. `share`: how far it is, 0 to 1."""

    id = serializers.UUIDField(source="public_id")
    version = serializers.IntegerField(source="version.number")
    share = serializers.SerializerMethodField()

    class Meta:
        model = EntryRun
        fields = [
            "id", "kind", "state", "version", "audience", "properties", "scheduled_for", "expected", "share",
            "looked_at", "entered", "refused", "started_by", "started_at", "finished_at",
        ]  # fmt: skip

    def get_share(self, run: EntryRun) -> float:
        return round(entry_runs.share(run), 4)


class RunPage(Page):
    results = EntryRunShape(many=True)


class Enrol(APIView):
    required_scope = "workflows:write"

    @extend_schema(
        operation_id="workflows_enrol",
        request=_ENROL,
        responses={200: EnrolledShape, 202: EntryRunShape},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Bring people into a live journey, whatever its trigger is; 409 if it is not live. They pass its audience, its
        rollout and holdout, and its re-entry policy, and who does not enter is answered with the reason.

        `contacts`, 1 to 1,000 of them: at once, in one transaction (200). `audience`: everybody for whom the condition
        is true, as a run on the bulk lane (202, see `/runs/`). `dry_run`: what would be answered for `contacts`, and
        for an audience how many it has, `{matching, estimated, total, sample, dry_run}`; nothing is written."""
        workflow = find(slug)
        body = _body(request.data)
        try:
            if "contacts" in body:
                return _enrol(workflow, body)
            return _begin(workflow, body, f"key {request.auth.name}")
        except (LedHere, NotLive) as error:
            raise conflict(error) from error


class RunList(ListAPIView[EntryRun]):
    """The runs that brought people in, the newest first."""

    required_scope = "workflows:read"
    serializer_class = EntryRunShape
    pagination_class = NewestFirst
    filterset_fields: ClassVar = ["kind", "state"]
    queryset = EntryRun.objects.none()  # of which model, for the schema

    def get_queryset(self) -> Any:
        return EntryRun.objects.filter(workflow=find(self.kwargs["slug"])).select_related("version")


class RunDetail(APIView):
    required_scope = "workflows:read"

    @extend_schema(operation_id="workflows_run", responses=EntryRunShape)
    def get(self, request: Request, slug: str, public_id: str) -> Response:
        """How far it is."""
        return Response(EntryRunShape(_run(slug, public_id)).data)


class RunStop(APIView):
    required_scope = "workflows:write"

    @extend_schema(operation_id="workflows_run_stop", request=None, responses=EntryRunShape)
    def post(self, request: Request, slug: str, public_id: str) -> Response:
        """Bring in nobody else; whoever entered stays. 409 if it is over."""
        run = _run(slug, public_id)
        if not transactions.run(lambda now: entry_runs.stop(public_id=run.public_id, now=now)):
            raise Conflict("This run is over.")
        return Response(EntryRunShape(_run(slug, public_id)).data)


def _run(slug: str, public_id: str) -> EntryRun:
    run = EntryRun.objects.filter(workflow=find(slug), public_id=public_id).select_related("version").first()
    if run is None:
        raise Http404
    return run


def _enrol(workflow: Workflow, body: Mapping[str, Any]) -> Response:
    said = body["contacts"]
    answer = enrolling.enrol(
        [_asked(each, number) for number, each in enumerate(said)],
        workflow_id=workflow.pk,
        kind="api",
        properties=body["properties"],
        lane=body["lane"],
        dry_run=body["dry_run"],
    )
    return Response(
        {
            "entered": answer.entered,
            "refused": [{"contact": said[number], "reason": reason} for number, reason in answer.refused],
            "repeated": answer.repeated,
            "dry_run": body["dry_run"],
        }
    )


def _begin(workflow: Workflow, body: Mapping[str, Any], by: str) -> Response:
    audience = condition_of(body["audience"])
    if body["dry_run"]:
        return Response({**_counted(workflow, audience), "dry_run": True})

    def work(now: datetime) -> EntryRun:
        return enrolling.begin(
            workflow_id=workflow.pk, audience=audience, kind="api", by=by, properties=body["properties"], now=now
        )

    run = transactions.run(work)
    return Response(EntryRunShape(_run(workflow.slug, str(run.public_id))).data, status=202)


def _counted(workflow: Workflow, audience: Any) -> dict[str, Any]:
    version = enrolling.live(workflow.pk).version
    assert version is not None
    definition = version.definition
    found = transactions.run(
        lambda now: entry_runs.count(definition, workflow_id=workflow.pk, kind="api", audience=audience, now=now)
    )
    public_ids = dict(Contact.objects.filter(pk__in=found.sample).values_list("pk", "public_id"))
    return {
        "matching": found.count,
        "estimated": found.estimated,
        "total": found.total,
        "sample": [str(public_ids[pk]) for pk in found.sample if pk in public_ids],
    }


def condition_of(audience: Any) -> Any:
    """The condition that an audience means. Raises BadRequest."""
    if isinstance(audience, dict) and set(audience) == {"segment"}:
        audience = {"in_segment": audience["segment"]}
    try:
        segments.validate(audience)
    except Refused as error:
        faults = [Fault(each.code, each.msg, ("audience", *each.loc[1:])) for each in error.faults]
        raise BadRequest("The audience is not valid.", faults) from error
    return audience


def _body(said: Any) -> dict[str, Any]:
    """What was asked, whole. Raises BadRequest."""
    if not isinstance(said, dict):
        raise BadRequest("The body must be an object.")
    faults = [Fault("unknown", "is no field of this request", (name,)) for name in sorted(set(said) - FIELDS)]
    if sum(name in said for name in ("contact", "contacts", "audience")) != 1:
        faults.append(Fault("missing", "say either contacts or audience", ("contacts",)))
    if "contact" in said:
        said = {**said, "contacts": [said["contact"]]}
    people = said.get("contacts", [None])
    if not isinstance(people, list) or not 1 <= len(people) <= MOST_CONTACTS:
        faults.append(Fault("length", f"must be a list of 1 to {MOST_CONTACTS} contacts", ("contacts",)))
    properties = said.get("properties")
    if properties is not None and not isinstance(properties, dict):
        faults.append(Fault("type", "must be an object", ("properties",)))
    elif flaw := strict_json.fault_in(properties or {}, strict_json.EVENT):
        faults.append(flaw.below("properties"))
    if said.get("lane") not in (None, "urgent", "bulk"):
        faults.append(Fault("choice", "must be urgent or bulk", ("lane",)))
    if not isinstance(said.get("dry_run", False), bool):
        faults.append(Fault("type", "must be true or false", ("dry_run",)))
    if faults:
        raise BadRequest("The request is not valid.", faults)
    return {
        **said,
        "properties": properties or {},
        "lane": said.get("lane"),
        "dry_run": said.get("dry_run", False),
    }


def _asked(said: Any, number: int) -> Asked:
    """Who is meant by one element. Raises BadRequest."""
    place = ("contacts", number)
    if isinstance(said, str):
        said = {"id": said}
    if not isinstance(said, dict) or not said or not all(isinstance(value, str) for value in said.values()):
        raise BadRequest("The request is not valid.", [Fault("type", "must be an id, or an object of names", place)])
    if unknown := sorted(set(said) - {"id", *KINDS}):
        raise BadRequest(
            "The request is not valid.", [Fault("unknown", "is no name of a contact", (*place, unknown[0]))]
        )
    if "id" not in said:
        return Asked(identifiers=Identifiers(**said))
    try:
        return Asked(public_id=UUID(said["id"]))
    except ValueError:
        raise BadRequest("The request is not valid.", [Fault("type", "must be the id of a contact", place)]) from None
