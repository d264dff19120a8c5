"""Workflows over HTTP: drafts in and out as one definition, their problems, and what is published of them.

Drafts may be invalid and are stored with their problems; only publishing refuses. A write to a draft may carry the
`If-Match` of the revision that it was made from; a stale one answers 412."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import OuterRef, Subquery
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import exceptions, serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import problems, transactions
from contacts.api.freshness import IF_MATCH, check_revision
from contacts.api.texts import Text
from contacts.faults import Fault
from contacts.identifiers import canonical
from contacts.models import Contact, ContactIdentity
from contacts.paging import NewestFirst
from contacts.problems import BadRequest, TooLarge, refuse_null_characters
from delivery.authoring.test_sends import UnableToTry
from workflows import importing, publishing, unfilled
from workflows.definition import limits
from workflows.definition.problems import Problem
from workflows.definition.schema import Definition
from workflows.definition.validation import validate
from workflows.models import Enrolment, Workflow, WorkflowVersion
from workflows.publishing import CannotPublish, UnableToChange

READ_OR_WRITE = {"GET": "workflows:read", "POST": "workflows:write", "PUT": "workflows:write"}


class Conflict(exceptions.APIException):
    """409: the workflow is not in a state that allows this."""

    status_code = 409
    default_code = "conflict"


def conflict(error: Exception) -> Conflict:
    """What a room said, as a sentence."""
    said = str(error)
    return Conflict(f"{said[:1].upper()}{said[1:]}.")


class WorkflowSerializer(serializers.ModelSerializer[Workflow]):
    id = serializers.UUIDField(source="public_id")
    live_version = serializers.IntegerField(source="live_version.number", allow_null=True, default=None)
    definition = serializers.JSONField(source="draft")
    revision = serializers.IntegerField(source="draft_revision")

    class Meta:
        model = Workflow
        fields = ["id", "slug", "name", "status", "live_version", "revision", "definition", "created_at", "updated_at"]


class ProblemShape(serializers.Serializer[Any]):
    """See `workflows.definition.problems.Problem`."""

    step = serializers.CharField(allow_null=True)
    field = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()
    severity = serializers.ChoiceField(["error", "warning"])


class WorkflowShape(WorkflowSerializer):
    """One workflow as it is answered: with what is wrong with its draft."""

    problems = ProblemShape(many=True)

    class Meta(WorkflowSerializer.Meta):
        fields = [*WorkflowSerializer.Meta.fields, "problems"]


class Verdict(serializers.Serializer[Any]):
    valid = serializers.BooleanField()
    problems = ProblemShape(many=True)


class VersionSerializer(serializers.ModelSerializer[WorkflowVersion]):
    class Meta:
        model = WorkflowVersion
        fields = ["number", "definition", "definition_hash", "published_at", "published_by", "note"]


class EnrolmentSerializer(serializers.ModelSerializer[Enrolment]):
    id = serializers.UUIDField(source="public_id")
    contact = serializers.UUIDField(source="contact_public_id")
    version = serializers.IntegerField(source="version.number")
    wake_at = serializers.SerializerMethodField()

    class Meta:
        model = Enrolment
        fields = [
            "id", "contact", "version", "state", "step", "wake_at", "entered_at", "finished_at", "exit_reason",
            "entry_key",
        ]  # fmt: skip

    def get_wake_at(self, enrolment: Enrolment) -> datetime | None:
        """Only who waits has a wake time to show."""
        return enrolment.wake_at if enrolment.state == "waiting" else None


def find(slug: str) -> Workflow:
    workflow = Workflow.objects.select_related("live_version").filter(slug=slug).first()
    if workflow is None:
        raise exceptions.NotFound(f"There is no workflow {slug!r}.")
    return workflow


def answer(workflow: Workflow, status: int = 200) -> Response:
    """The workflow with the problems of its draft, and the ETag that a write must match."""
    data = {**WorkflowSerializer(workflow).data, "problems": [each.as_dict() for each in validate(workflow.draft)]}
    return Response(data, status=status, headers={"ETag": f'"{workflow.draft_revision}"'})


def store(request: Request, slug: str | None) -> Workflow:
    """Write the definition in the request's body into the draft of its slug."""
    definition = request.data
    if not isinstance(definition, dict):
        raise BadRequest(faults=[Fault("type", "the body must be a definition: a JSON object")])
    if slug is not None and definition.setdefault("slug", slug) != slug:
        raise BadRequest(faults=[Fault("mismatch", f"must be {slug!r}, as in the address", ("slug",))])
    if not isinstance(definition.get("slug"), str) or not definition["slug"]:
        raise BadRequest(faults=[Fault("missing", "a definition needs a slug", ("slug",))])
    if fault := limits.fault_of(definition):
        raise TooLarge(f"The definition {fault.msg}.") if fault.code == "too_large" else BadRequest(faults=[fault])
    definition = importing.translated(definition)

    def work(now: datetime) -> Workflow:
        check_match(request, definition["slug"])
        by = f"key {request.auth.name}"
        return publishing.save_draft(definition=definition, now=now, by=by, what="Written over the API")

    return find(transactions.run(work).slug)


def check_match(request: Request, slug: str) -> None:
    """Raises Stale where `If-Match` names another revision than the draft has; keeps the workflow locked."""
    there = Workflow.objects.select_for_update(no_key=True).filter(slug=slug).first()
    check_revision(request, there.draft_revision if there else None)


class WorkflowList(ListAPIView[Workflow]):
    """`GET` lists the workflows; `POST` stores a definition as a draft."""

    required_scope: ClassVar = READ_OR_WRITE
    queryset = Workflow.objects.select_related("live_version")
    serializer_class = WorkflowSerializer
    pagination_class = NewestFirst
    filterset_fields: ClassVar = ["status", "slug"]

    @extend_schema(
        request=OpenApiTypes.OBJECT, responses={200: WorkflowShape, 201: WorkflowShape}, parameters=[IF_MATCH]
    )
    def post(self, request: Request) -> Response:
        """201 for a new workflow, 200 for a new draft of one that is there; with the draft's problems."""
        workflow = store(request, None)
        return answer(workflow, 201 if workflow.draft_revision == 1 else 200)


class WorkflowDetail(APIView):
    """One workflow with its draft."""

    required_scope: ClassVar = READ_OR_WRITE

    @extend_schema(responses=WorkflowShape)
    def get(self, request: Request, slug: str) -> Response:
        return answer(find(slug))

    @extend_schema(request=OpenApiTypes.OBJECT, responses=WorkflowShape, parameters=[IF_MATCH])
    def put(self, request: Request, slug: str) -> Response:
        return answer(store(request, slug))


class Validate(APIView):
    """What is wrong with the draft, or with the definition in the body."""

    required_scope = "workflows:read"

    @extend_schema(request=OpenApiTypes.OBJECT, responses=Verdict)
    def post(self, request: Request, slug: str) -> Response:
        if not isinstance(request.data, dict):
            raise BadRequest(faults=[Fault("type", "the body must be a definition: a JSON object")])
        found = validate(request.data or find(slug).draft)
        return Response({"valid": not errors(found), "problems": [each.as_dict() for each in found]})


def errors(found: list[Any]) -> list[Any]:
    return [problem for problem in found if problem.severity == "error"]


class PublishInput(serializers.Serializer[Any]):
    """`note`: what is new in this version, for those who read the list of versions. `seeds`: show every language of its
    e-mails to the seed list."""

    note = Text(required=False, allow_blank=True, max_length=500)
    seeds = serializers.BooleanField(default=False)


class Publish(APIView):
    """Freeze the draft as the next version. 422 with the problems where it has errors: a problem document whose
    `errors` name the places in the definition, and the verdict of `/validate` beside them."""

    required_scope = "workflows:publish"

    @extend_schema(request=PublishInput, responses={200: WorkflowShape, (422, problems.CONTENT_TYPE): Verdict})
    def post(self, request: Request, slug: str) -> Response:
        find(slug)
        body = PublishInput(data=request.data)
        body.is_valid(raise_exception=True)
        note, by = body.validated_data.get("note", ""), f"key {request.auth.name}"

        def work(now: datetime) -> None:
            publishing.publish(slug=slug, by=by, note=note, now=now)
            if body.validated_data["seeds"]:
                unfilled.show_to_seeds(find(slug).draft, now=now)

        try:
            transactions.run(work)
        except CannotPublish as error:
            return _refused(error)
        except UnableToTry as error:
            raise BadRequest("The seed list cannot be written to, so nothing was published.", error.faults) from error
        except UnableToChange as error:
            raise conflict(error) from error
        return answer(find(slug))


def _refused(error: CannotPublish) -> Response:
    faults = [Fault(each.code, each.message, _place(each)) for each in error.problems]
    verdict = {"valid": False, "problems": [each.as_dict() for each in error.problems]}
    said = problems.body(422, "The draft has problems, so it was not published.", faults)
    return Response({**said, **verdict}, status=422, content_type=problems.CONTENT_TYPE)


def _place(problem: Problem) -> tuple[str, ...]:
    """Where it is, from the top of the definition."""
    inside = tuple(part for part in problem.field.split(".") if part)
    return ("steps", problem.step, *inside) if problem.step is not None else inside


class Move(APIView):
    """Pause, resume or archive a workflow. 409 where its status does not allow it."""

    required_scope = "workflows:publish"
    deed: Callable[..., None] = publishing.pause

    @extend_schema(request=None, responses=WorkflowShape)
    def post(self, request: Request, slug: str) -> Response:
        find(slug)
        try:
            transactions.run(lambda now: type(self).deed(slug=slug, now=now))
        except UnableToChange as error:
            raise conflict(error) from error
        return answer(find(slug))


class Pause(Move):
    deed = publishing.pause


class Resume(Move):
    deed = publishing.resume


class Archive(Move):
    deed = publishing.archive


class VersionList(ListAPIView[WorkflowVersion]):
    """The published versions, newest first."""

    required_scope = "workflows:read"
    serializer_class = VersionSerializer
    pagination_class = NewestFirst
    queryset = WorkflowVersion.objects.none()  # of which model, for the schema

    def get_queryset(self) -> Any:
        return WorkflowVersion.objects.filter(workflow=find(self.kwargs["slug"]))


@extend_schema_view(
    get=extend_schema(
        parameters=[
            OpenApiParameter("contact", OpenApiTypes.UUID),
            *(OpenApiParameter(name) for name in ("external_id", "email")),
        ]
    )
)
class EnrolmentList(ListAPIView[Enrolment]):
    """Who is or was in the workflow, newest first; `?state=`, `?step=`, `?contact=` (its id), `?external_id=` and
    `?email=` narrow."""

    required_scope = "workflows:read"
    serializer_class = EnrolmentSerializer
    pagination_class = NewestFirst
    filterset_fields: ClassVar = ["state", "step"]
    queryset = Enrolment.objects.none()  # of which model, for the schema

    def get_queryset(self) -> Any:
        people = Contact.objects.filter(pk=OuterRef("contact_id"))
        rows = Enrolment.objects.filter(workflow=find(self.kwargs["slug"])).select_related("version")
        asked = self.request.query_params
        refuse_null_characters(asked)
        if (contact := asked.get("contact")) is not None:
            rows = rows.filter(contact_id__in=Contact.objects.filter(public_id=_uuid(contact)).values("pk"))
        for kind in ("external_id", "email"):
            if value := asked.get(kind):
                known = ContactIdentity.objects.filter(kind=kind, value=canonical(kind, value))
                rows = rows.filter(contact_id__in=known.values("contact_id"))
        return rows.annotate(contact_public_id=Subquery(people.values("public_id")[:1]))


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise BadRequest(faults=[Fault("type", "expected the id of a contact", ("contact",))]) from error


class Schema(APIView):
    """The JSON Schema of a definition's envelope."""

    required_scope = "workflows:read"

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response(Definition.model_json_schema(by_alias=True))
