"""Failed steps and braked workflows over HTTP: what waits for a person, and what the person decides."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from django.db.models import OuterRef, QuerySet, Subquery
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.faults import Fault
from contacts.models import Contact
from contacts.paging import NewestFirst
from contacts.problems import BadRequest, refuse_null_characters
from workflows.api import workflows as api
from workflows.entry import brake
from workflows.failures import dead_letters
from workflows.failures.dead_letters import DEEDS
from workflows.models import DeadLetter, Enrolment, EnrolmentBrake, Workflow

STATES = ("open", *DEEDS.values())
CATEGORIES = ("transient", "permanent")
REFUSALS = {
    "resolved_before": "Somebody has decided about it already.",
    "moved_on": "Its enrolment is not where it failed any more.",
    "already_under_way": "The contact has entered the workflow again meanwhile, and is in it once only. It can exit.",
    "workflow_archived": "The workflow is archived: nobody goes on in it. It can exit.",
    "not_allowed": "The contact's data may not be worked with.",
}


class DeadLetterSerializer(serializers.ModelSerializer[DeadLetter]):
    id = serializers.UUIDField(source="public_id")
    workflow = serializers.CharField(source="workflow_slug")
    contact = serializers.UUIDField(source="contact_public_id", allow_null=True)
    enrolment = serializers.UUIDField(source="enrolment_public_id")

    class Meta:
        model = DeadLetter
        fields = [
            "id", "workflow", "step", "contact", "enrolment", "category", "error", "trace", "attempts", "failed_at",
            "state", "resolved_at", "resolved_by",
        ]  # fmt: skip


def rows() -> QuerySet[DeadLetter]:
    return DeadLetter.objects.annotate(
        workflow_slug=Subquery(Workflow.objects.filter(pk=OuterRef("workflow_id")).values("slug")[:1]),
        contact_public_id=Subquery(Contact.objects.filter(pk=OuterRef("contact_id")).values("public_id")[:1]),
        enrolment_public_id=Subquery(Enrolment.objects.filter(pk=OuterRef("enrolment_id")).values("public_id")[:1]),
    )


@extend_schema(
    parameters=[
        OpenApiParameter("state", OpenApiTypes.STR, enum=STATES, default="open"),
        OpenApiParameter("workflow", OpenApiTypes.STR, description="its slug"),
        OpenApiParameter("step", OpenApiTypes.STR),
        OpenApiParameter("category", OpenApiTypes.STR, enum=CATEGORIES),
    ]
)
class DeadLetterList(ListAPIView[DeadLetter]):
    """Enrolments that failed at a step as often as it may be tried, newest first. `trace` names files, lines and kinds
    of errors, no values."""

    required_scope = "workflows:read"
    serializer_class = DeadLetterSerializer
    pagination_class = NewestFirst
    filter_backends: ClassVar[list[Any]] = []
    queryset = DeadLetter.objects.none()  # of which model, for the schema

    def get_queryset(self) -> QuerySet[DeadLetter]:
        asked = self.request.query_params
        refuse_null_characters(asked)
        found = rows().filter(state=_one_of("state", asked.get("state", "open"), STATES))
        if slug := asked.get("workflow"):
            found = found.filter(workflow_id=api.find(slug).pk)
        if step := asked.get("step"):
            found = found.filter(step=step)
        if category := asked.get("category"):
            found = found.filter(category=_one_of("category", category, CATEGORIES))
        return found


def _one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise BadRequest(f"There is no such {name}.", [Fault("unknown", f"one of {', '.join(known)}", (name,))])
    return value


class Resolve(APIView):
    """Decide about one. 409 where that cannot be: `detail` says why."""

    required_scope = "workflows:write"
    deed = "retry"

    @extend_schema(request=None, responses=DeadLetterSerializer)
    def post(self, request: Request, public_id: str) -> Response:
        letter = DeadLetter.objects.filter(public_id=public_id).first()
        if letter is None:
            raise exceptions.NotFound("There is no such failed step.")
        work = partial(dead_letters.resolve, [letter.pk], deed=self.deed, by=f"key {request.auth.name}")
        resolved = transactions.run(lambda now: work(now=now))
        if not resolved.done:
            raise api.Conflict(REFUSALS[next(iter(resolved.refused))])
        return Response(DeadLetterSerializer(rows().get(pk=letter.pk)).data)


class Retry(Resolve):
    deed = "retry"


class Skip(Resolve):
    deed = "skip"


class Exit(Resolve):
    deed = "exit"


class BrakeSerializer(serializers.ModelSerializer[EnrolmentBrake]):
    """`rate`: how many entered within the hour before; `usual`: within the busiest hour of the two weeks before."""

    workflow = serializers.CharField(source="workflow.slug")

    class Meta:
        model = EnrolmentBrake
        fields = ["workflow", "braked_at", "rate", "usual", "released_at", "released_by"]


class ReleaseBrake(APIView):
    """Let those begin who wait because the workflow was entered far more often than usual. 409 where no brake holds."""

    required_scope = "workflows:publish"

    @extend_schema(request=None, responses=BrakeSerializer)
    def post(self, request: Request, slug: str) -> Response:
        workflow = api.find(slug)
        by = f"key {request.auth.name}"
        if not transactions.run(lambda now: brake.release(workflow.pk, by=by, now=now)):
            raise api.Conflict("No brake holds this workflow.")
        return Response(BrakeSerializer(EnrolmentBrake.objects.select_related("workflow").get(pk=workflow.pk)).data)
