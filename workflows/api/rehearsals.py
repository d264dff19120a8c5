"""`POST /api/v1/workflows/{slug}/rehearse`, and the rehearsal that it asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import durations, transactions
from contacts.api.texts import Text
from contacts.problems import BadRequest
from workflows import rehearsals
from workflows.api.workflows import Conflict, find
from workflows.models import Rehearsal
from workflows.rehearsal import asking
from workflows.rehearsal.asked import CLOCKS, RECORDED, Asked, CannotRehearse


class RehearseInput(serializers.Serializer[Any]):
    """`version`: a published one; without it, the draft. `sample`: percent of the contacts. `moment`: an ISO 8601
    duration within which different contacts are played at once: the longer, the quicker and the less exact. `clock`:
    when an event happens; `occurred` is for history that was imported."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    version = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1)
    sample = serializers.FloatField(required=False, default=100.0)
    moment = Text(required=False, default="PT1S")
    clock = serializers.ChoiceField(CLOCKS, required=False, default=RECORDED)
    run_out = serializers.BooleanField(required=False, default=False)


class RehearsalShape(serializers.ModelSerializer[Rehearsal]):
    """`state`: queued · running · stopping · done · failed · stopped. `report` is there when it is done; `error` says
    why it failed or was stopped. `played_to`: the simulated time so far."""

    id = serializers.UUIDField(source="public_id")
    version = serializers.IntegerField(source="number", allow_null=True)

    class Meta:
        model = Rehearsal
        fields = [
            "id", "version", "since", "until", "asked", "state", "played_to", "played", "expected", "report", "error",
            "asked_by", "asked_at", "started_at", "finished_at",
        ]  # fmt: skip


class Rehearse(APIView):
    """Play the recorded events of a period to the workflow, with the production engine in a scratch schema. Nothing is
    sent. 202 with the rehearsal to ask for; 409 where the definition cannot be rehearsed."""

    required_scope = "workflows:write"

    @extend_schema(request=RehearseInput, responses={202: RehearsalShape})
    def post(self, request: Request, slug: str) -> Response:
        find(slug)
        body = RehearseInput(data=request.data or {})
        body.is_valid(raise_exception=True)
        said = dict(body.validated_data)
        try:
            asked = Asked(slug=slug, **{**said, "moment": _moment(said["moment"])})
        except CannotRehearse as error:
            raise BadRequest(f"{error}.") from error
        try:
            row = transactions.run(lambda now: asking.ask(asked, by=f"key {request.auth.name}", now=now))
        except CannotRehearse as error:
            raise Conflict(f"{error}.") from error
        return Response(RehearsalShape(row).data, status=202)


class RehearsalDetail(APIView):
    """How far it is, and the report once it is done."""

    required_scope = "workflows:read"

    @extend_schema(responses=RehearsalShape)
    def get(self, request: Request, slug: str, public_id: UUID) -> Response:
        return Response(RehearsalShape(_find(slug, public_id)).data)


class RehearsalStop(APIView):
    """Stop it: a queued one at once, a running one within a second or so."""

    required_scope = "workflows:write"

    @extend_schema(request=None, responses=RehearsalShape)
    def post(self, request: Request, slug: str, public_id: UUID) -> Response:
        row = _find(slug, public_id)
        transactions.run(lambda now: rehearsals.stop(row.pk, now=now))
        return Response(RehearsalShape(_find(slug, public_id)).data)


def _find(slug: str, public_id: UUID) -> Rehearsal:
    row = Rehearsal.objects.filter(workflow=find(slug), public_id=public_id).first()
    if row is None:
        raise exceptions.NotFound("There is no such rehearsal of this workflow.")
    return row


def _moment(text: str) -> timedelta:
    try:
        return durations.window(text, speed=1.0)
    except durations.BadDuration as error:
        raise CannotRehearse(f"moment: {error}") from error
