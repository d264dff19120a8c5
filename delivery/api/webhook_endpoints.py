"""Outgoing webhooks over HTTP: the endpoints themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import durations, transactions
from contacts.api.texts import Text
from contacts.faults import Fault
from contacts.paging import NewestFirst
from contacts.problems import BadRequest
from delivery.models import WebhookEndpoint
from delivery.outgoing import endpoints, hearing
from delivery.outgoing.endpoints import BadEndpoint, Made

READ_OR_CHANGE: Mapping[str, str] = {
    "GET": "delivery:read",
    "POST": "admin",
    "PATCH": "admin",
    "DELETE": "admin",
}
Result = TypeVar("Result")


class NotPossible(exceptions.APIException):
    status_code = 409
    default_code = "not_possible"


class EndpointShape(serializers.ModelSerializer[WebhookEndpoint]):
    """`state`: enabled · disabled. `disabled_reason`: by_hand · gone (it answered 410) · failing (for five days) ·
    secret_lost · empty. `failing_since`: no call was answered well since then. `old_secret_until`: until then the
    secret from before the rotation signs, too. Secrets are shown once, where they are made."""

    id = serializers.UUIDField(source="public_id")
    event_types = serializers.ListField(child=serializers.CharField())
    state = serializers.ChoiceField(choices=["enabled", "disabled"])

    class Meta:
        model = WebhookEndpoint
        fields = ["id", "url", "description", "event_types", "include_personal_data", "state", "disabled_reason",
                  "disabled_at", "failing_since", "old_secret_until", "created_at", "changed_at"]  # fmt: skip


class MadeShape(EndpointShape):
    """`secret`: `whsec_` and base64, shown here and never again."""

    secret = serializers.CharField()

    class Meta(EndpointShape.Meta):
        fields = [*EndpointShape.Meta.fields, "secret"]


class EndpointInput(serializers.Serializer[Any]):
    """`url`: https, a host of the public internet, or one that WEBHOOK_ALLOWED_HOSTS names. `event_types`: exact names,
    or `*` for all. `include_personal_data`: without it, addresses and telephone numbers are masked and neither `email`
    nor `context` is sent."""

    url = Text(max_length=4096)
    event_types = serializers.ListField(
        child=Text(trim_whitespace=False), allow_empty=False, max_length=endpoints.MOST_TYPES
    )
    description = Text(max_length=endpoints.LONGEST_DESCRIPTION, allow_blank=True, required=False, default="")
    include_personal_data = serializers.BooleanField(required=False, default=False)


class EndpointChanges(EndpointInput):
    """What is not said stays."""

    url = Text(max_length=4096, required=False)
    event_types = serializers.ListField(
        child=Text(trim_whitespace=False),
        allow_empty=False,
        max_length=endpoints.MOST_TYPES,
        required=False,
    )
    description = Text(max_length=endpoints.LONGEST_DESCRIPTION, allow_blank=True, required=False)
    include_personal_data = serializers.BooleanField(required=False)


class RotationInput(serializers.Serializer[Any]):
    """`overlap`: for how long the secret before signs beside the new one (ISO 8601, at most P7D; PT0S: not at all)."""

    overlap = Text(required=False, default="PT24H", max_length=30)

    def validate_overlap(self, given: str) -> timedelta:
        try:
            return durations.window(given, speed=1.0)
        except durations.BadDuration as error:
            raise serializers.ValidationError("is a duration such as PT24H or P2D", code="duration") from error


class QueuedShape(serializers.Serializer[Any]):
    """The id of a delivery."""

    delivery = serializers.UUIDField()


class WebhookEndpoints(ListAPIView[WebhookEndpoint]):
    """Servers that hear of events: signed (Standard Webhooks), tried again for three days, in no promised order.

    The newest first; `?state=` narrows. POST adds one."""

    required_scope: ClassVar = READ_OR_CHANGE
    queryset = WebhookEndpoint.objects.exclude(state="removed")
    serializer_class = EndpointShape
    pagination_class = NewestFirst
    filterset_fields: ClassVar = ["state"]

    @extend_schema(operation_id="webhook_endpoints_create", request=EndpointInput, responses={201: MadeShape})
    def post(self, request: Request) -> Response:
        """It hears of what is recorded from now on, that may start a journey: not what consent holds back, nor what is
        older than EVENT_TRIGGER_MAX_AGE. `secret` is shown in this answer only."""
        given = read(EndpointInput, request)
        return shown_once(done(lambda now: endpoints.add(**given, now=now)), status=201)


class WebhookEndpointDetail(APIView):
    required_scope: ClassVar = READ_OR_CHANGE

    @extend_schema(responses=EndpointShape)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(EndpointShape(find(public_id)).data)

    @extend_schema(request=EndpointChanges, responses=EndpointShape)
    def patch(self, request: Request, public_id: UUID) -> Response:
        """Change what is sent. What is queued already goes to the new address."""
        endpoint_id = find(public_id).pk
        given = read(EndpointChanges, request)
        done(lambda now: endpoints.change(endpoint_id, **given, now=now))
        return Response(EndpointShape(find(public_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Remove it for good: nothing more is sent to it."""
        endpoint_id = find(public_id).pk
        done(lambda now: endpoints.remove(endpoint_id, now=now))
        return Response(status=204)


class RotateSecret(APIView):
    required_scope = "admin"

    @extend_schema(operation_id="webhook_endpoints_rotate_secret", request=RotationInput, responses={200: MadeShape})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Another secret, in this answer only. Calls carry the signatures of both until `overlap` is over."""
        endpoint_id = find(public_id).pk
        given = read(RotationInput, request)
        return shown_once(done(lambda now: endpoints.rotate_secret(endpoint_id, **given, now=now)), status=200)


class EnableEndpoint(APIView):
    required_scope = "admin"

    @extend_schema(operation_id="webhook_endpoints_enable", request=None, responses=EndpointShape)
    def post(self, request: Request, public_id: UUID) -> Response:
        """It hears of what is recorded from now on, and what was queued goes on; `replay` brings what was recorded
        meanwhile."""
        endpoint_id = find(public_id).pk
        done(lambda now: endpoints.enable(endpoint_id, now=now))
        return Response(EndpointShape(find(public_id)).data)


class DisableEndpoint(APIView):
    required_scope = "admin"

    @extend_schema(operation_id="webhook_endpoints_disable", request=None, responses=EndpointShape)
    def post(self, request: Request, public_id: UUID) -> Response:
        """It hears of nothing new, and what is queued waits."""
        endpoint_id = find(public_id).pk
        done(lambda now: endpoints.disable(endpoint_id, now=now))
        return Response(EndpointShape(find(public_id)).data)


class TestEndpoint(APIView):
    required_scope = "admin"

    @extend_schema(operation_id="webhook_endpoints_test", request=None, responses={202: QueuedShape})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Queue a call of the type `ping`; its delivery tells how it went. 409 while the endpoint is disabled."""
        endpoint = find(public_id)
        if endpoint.state != "enabled":
            raise NotPossible("The endpoint is disabled.")
        return Response({"delivery": done(lambda now: hearing.ping(endpoint.pk, now=now))}, status=202)


def find(public_id: UUID | str) -> WebhookEndpoint:
    """Raises Http404."""
    endpoint = WebhookEndpoint.objects.filter(public_id=public_id).exclude(state="removed").first()
    if endpoint is None:
        raise Http404
    return endpoint


def read(kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """What was sent, if it is as it should be. Raises BadRequest and ValidationError."""
    body = request.data
    if not isinstance(body, dict):
        raise BadRequest("The body must be an object.")
    given = kind(data=body)
    if unknown := sorted(str(name) for name in body.keys() - given.fields.keys()):
        said = f"must be one of {', '.join(sorted(given.fields))}"
        raise BadRequest("The request is not valid.", [Fault("unknown", said, (name,)) for name in unknown])
    given.is_valid(raise_exception=True)
    return given.validated_data


def done(work: Callable[[datetime], Result]) -> Result:
    """Commit the work. Raises BadRequest where it is refused, Http404 where the endpoint is gone meanwhile."""
    try:
        return transactions.run(work)
    except LookupError as error:
        raise Http404 from error
    except BadEndpoint as error:
        raise BadRequest("The endpoint cannot be so.", error.faults) from error


def shown_once(made: Made, *, status: int) -> Response:
    endpoint = WebhookEndpoint.objects.get(pk=made.id)
    document = {**EndpointShape(endpoint).data, "secret": made.secret}
    return Response(document, status=status, headers={"Cache-Control": "no-store"})
