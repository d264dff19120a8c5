"""Outgoing webhooks over HTTP: what was sent to an endpoint, and sending it once more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts.api.texts import Text
from contacts.faults import Fault
from contacts.paging import NewestFirst
from contacts.problems import BadRequest, refuse_null_characters
from delivery.api.webhook_endpoints import NotPossible, QueuedShape, done, find, read
from delivery.models import EndpointDelivery
from delivery.models.endpoint import DELIVERY_STATES
from delivery.outgoing import endpoints, replaying


class DeliveryShape(serializers.ModelSerializer[EndpointDelivery]):
    """`webhook_id` is the header of that name: the same for every attempt and replay of an event at an endpoint.
    `state`: queued · calling · delivered · failed. `due_at`: when one that is queued is called, else null. `status`,
    `reason` and `duration_ms` are of the last attempt. `event_id` is null for a ping."""

    id = serializers.UUIDField(source="public_id")
    event_id = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=DELIVERY_STATES)
    due_at = serializers.SerializerMethodField()

    class Meta:
        model = EndpointDelivery
        fields = ["id", "webhook_id", "event_id", "event_type", "is_replay", "state", "attempts", "due_at", "status",
                  "reason", "duration_ms", "created_at", "finished_at"]  # fmt: skip

    def get_due_at(self, delivery: EndpointDelivery) -> datetime | None:
        return delivery.due_at if delivery.state == "queued" else None

    def get_event_id(self, delivery: EndpointDelivery) -> str | None:
        return None if delivery.event_id is None else str(delivery.event_id)


class ReplayInput(serializers.Serializer[Any]):
    """What was recorded from `since` to before `until`, at most 31 days. `event_types` narrows those that the endpoint
    hears; `only_failed` leaves out what it has taken."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    event_types = serializers.ListField(
        child=Text(trim_whitespace=False, max_length=endpoints.LONGEST_TYPE),
        required=False,
        max_length=endpoints.MOST_TYPES,
    )
    only_failed = serializers.BooleanField(required=False, default=False)


class ReplayedShape(serializers.Serializer[Any]):
    """`queued`: how many deliveries. `go_on_from`: null, or where the next request has to begin, since no more than
    10,000 are queued at once."""

    queued = serializers.IntegerField()
    go_on_from = serializers.DateTimeField(allow_null=True)


class EndpointDeliveries(ListAPIView[EndpointDelivery]):
    """What was sent to the endpoint, and is to be, the newest first, for as long as WEBHOOK_DELIVERY_RETENTION says."""

    required_scope = "delivery:read"
    serializer_class = DeliveryShape
    pagination_class = NewestFirst
    filter_backends: ClassVar[list[Any]] = []

    @extend_schema(
        parameters=[
            OpenApiParameter("state", enum=DELIVERY_STATES),
            OpenApiParameter("type", description="the exact type of an event, or ping"),
            OpenApiParameter("since", {"type": "string", "format": "date-time"}, description="queued then or later"),
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[EndpointDelivery]:
        if getattr(self, "swagger_fake_view", False):  # the schema is generated without an endpoint
            return EndpointDelivery.objects.none()
        rows = EndpointDelivery.objects.filter(endpoint_id=find(self.kwargs["public_id"]).pk)
        return rows.filter(**_wanted(self.request.query_params))


def _wanted(asked: Mapping[str, str]) -> dict[str, Any]:
    """Raises BadRequest."""
    refuse_null_characters(asked)
    wanted: dict[str, Any] = {}
    if state := asked.get("state"):
        if state not in DELIVERY_STATES:
            said = f"one of {', '.join(DELIVERY_STATES)}"
            raise BadRequest("There is no such state.", [Fault("unknown", said, ("state",))])
        wanted["state"] = state
    if event_type := asked.get("type"):
        wanted["event_type"] = event_type
    if (since := asked.get("since")) is not None:
        try:
            wanted["created_at__gte"] = serializers.DateTimeField().to_internal_value(since)
        except (serializers.ValidationError, OverflowError) as error:
            raise BadRequest(
                "The time cannot be read.", [Fault("time", "is a time of ISO 8601", ("since",))]
            ) from error
    return wanted


class ReplayDelivery(APIView):
    required_scope = "admin"

    @extend_schema(operation_id="webhook_deliveries_replay", request=None, responses={202: QueuedShape})
    def post(self, request: Request, public_id: UUID, delivery_id: UUID) -> Response:
        """Send it once more, with the same `webhook_id`; the new delivery tells how it went. 409 while it is under
        way."""
        endpoint_id = find(public_id).pk
        try:
            new = done(lambda now: replaying.one(endpoint_id, str(delivery_id), now=now))
        except replaying.StillOpen as error:
            raise NotPossible("The delivery is under way.") from error
        return Response({"delivery": new}, status=202)


class ReplaySpan(APIView):
    required_scope = "admin"

    @extend_schema(operation_id="webhook_endpoints_replay", request=ReplayInput, responses={202: ReplayedShape})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Queue once more what was recorded in a span of time, also what was recorded while the endpoint was disabled;
        but not what is under way to it."""
        endpoint_id = find(public_id).pk
        given = read(ReplayInput, request)
        replayed = done(lambda now: replaying.span(endpoint_id, **given, now=now))
        return Response(ReplayedShape(replayed).data, status=202)
