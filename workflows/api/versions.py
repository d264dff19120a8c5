"""The versions of a workflow over HTTP: what each says, what changed between two of them, back to the draft, and out as
a file."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.api.freshness import IF_MATCH
from contacts.api.privacy import AsAsked
from contacts.problems import BadRequest
from scoring.lifecycle import stages
from workflows import publishing
from workflows.api.workflows import VersionSerializer, WorkflowShape, answer, check_match, conflict, find
from workflows.definition import phrases
from workflows.definition.diff import diff
from workflows.definition.sentences import sentences
from workflows.definition.writing import FORMATS, written
from workflows.models import Workflow, WorkflowVersion
from workflows.publishing import UnableToChange

DRAFT = "draft"
CONTENT_TYPES = {"yaml": "application/yaml", "json": "application/json"}


class ChangeShape(serializers.Serializer[Any]):
    """See `workflows.definition.diff.Change`."""

    step = serializers.CharField(allow_null=True)
    kind = serializers.ChoiceField(["added", "removed", "renamed", "changed", "rewired"])
    field = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
    sentence = serializers.CharField()


class SentencesShape(serializers.Serializer[Any]):
    entry = serializers.ListField(child=serializers.CharField())
    settings = serializers.ListField(child=serializers.CharField())
    exits = serializers.ListField(child=serializers.CharField())
    steps = serializers.DictField(child=serializers.CharField())


class VersionShape(VersionSerializer):
    """One version, said in sentences, with what changed since the one before it."""

    sentences = SentencesShape()
    changes = ChangeShape(many=True)

    class Meta(VersionSerializer.Meta):
        fields = [*VersionSerializer.Meta.fields, "sentences", "changes"]


@extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string", "const": DRAFT}]})
class NumberOrDraft(serializers.JSONField):
    """The number of a version, or "draft"."""


class DiffShape(serializers.Serializer[Any]):
    """`from`: the number of a version."""

    to = NumberOrDraft()
    changes = ChangeShape(many=True)

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.IntegerField(), **super().get_fields()}


class VersionDetail(APIView):
    """One published version."""

    required_scope = "workflows:read"

    @extend_schema(responses=VersionShape)
    def get(self, request: Request, slug: str, number: str) -> Response:
        workflow = find(slug)
        version = version_of(workflow, number)
        before = WorkflowVersion.objects.filter(workflow=workflow, number__lt=version.number).order_by("number").last()
        with phrases.calling_stages(stages.labels()):
            said = sentences(version.definition)
            changes = _changes(before.definition, version.definition) if before else []
        return Response(
            {
                **VersionSerializer(version).data,
                "sentences": {"entry": said.entry, "settings": said.settings, "exits": said.exits, "steps": said.steps},
                "changes": changes,
            }
        )


class Diff(APIView):
    """What changed from this version to another one, or to the draft, in sentences; always in the same order."""

    required_scope = "workflows:read"

    @extend_schema(
        responses=DiffShape,
        parameters=[OpenApiParameter("to", description="a version's number, or draft (the default)")],
    )
    def get(self, request: Request, slug: str, number: str) -> Response:
        workflow = find(slug)
        version = version_of(workflow, number)
        to = request.query_params.get("to") or DRAFT
        after = workflow.draft if to == DRAFT else version_of(workflow, to).definition
        with phrases.calling_stages(stages.labels()):
            changes = _changes(version.definition, after)
        return Response({"from": version.number, "to": DRAFT if to == DRAFT else int(to), "changes": changes})


class Restore(APIView):
    """Put this version into the draft, which gets its next revision. 412 where `If-Match` names another revision; 409
    where the workflow is archived."""

    required_scope = "workflows:write"

    @extend_schema(request=None, responses=WorkflowShape, parameters=[IF_MATCH])
    def post(self, request: Request, slug: str, number: str) -> Response:
        version = version_of(find(slug), number)

        def work(now: Any) -> None:
            check_match(request, slug)
            publishing.restore(slug=slug, number=version.number, now=now, by=f"key {request.auth.name}")

        try:
            transactions.run(work)
        except UnableToChange as error:
            raise conflict(error) from error
        return answer(find(slug))


class Export(APIView):
    """The draft as a definition file, or with `?version=` a published version; the same bytes for the same content."""

    required_scope = "workflows:read"
    content_negotiation_class = AsAsked

    @extend_schema(
        responses={(200, kind): OpenApiTypes.OBJECT for kind in CONTENT_TYPES.values()},
        parameters=[OpenApiParameter("format", enum=FORMATS), OpenApiParameter("version", OpenApiTypes.INT)],
    )
    def get(self, request: Request, slug: str) -> HttpResponse:
        workflow = find(slug)
        form = request.query_params.get("format", "yaml")
        if form not in FORMATS:
            raise BadRequest(f"format: expected one of {', '.join(FORMATS)}.")
        number = request.query_params.get("version")
        definition = version_of(workflow, number).definition if number else workflow.draft
        name = f"{slug}-v{number}.{form}" if number else f"{slug}.{form}"
        return HttpResponse(
            written(definition, form),
            content_type=f"{CONTENT_TYPES[form]}; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def version_of(workflow: Workflow, number: str) -> WorkflowVersion:
    """Raises NotFound for what is no number of a version of it."""
    known = number.isascii() and number.isdigit() and len(number) <= 9
    version = WorkflowVersion.objects.filter(workflow=workflow, number=int(number)).first() if known else None
    if version is None:
        raise exceptions.NotFound(f"There is no version {number!r} of {workflow.slug!r}.")
    return version


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    return [change.as_dict() for change in diff(before, after)]
