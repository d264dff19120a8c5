"""`GET /api/v1/contacts/{id}/why?workflow=slug`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.faults import Fault
from contacts.living import find as find_contact
from contacts.problems import BadRequest, refuse_null_characters
from workflows.api.workflows import find
from workflows.why import why


class GateShape(serializers.Serializer[Any]):
    """`as_of`: "then" where it was written down when it happened, "now" where it is worked out for this answer."""

    gate = serializers.CharField()
    passed = serializers.BooleanField()
    read = serializers.JSONField(allow_null=True)
    reason = serializers.CharField()
    as_of = serializers.ChoiceField(["then", "now"])


class WhyShape(serializers.Serializer[Any]):
    answer = serializers.CharField()
    entered = serializers.BooleanField()
    gates = GateShape(many=True)
    refusals = serializers.JSONField()


class WhyView(APIView):
    """Why a contact is, was or never was in a workflow."""

    required_scope = "contacts:read"

    @extend_schema(responses=WhyShape, parameters=[OpenApiParameter("workflow", required=True)])
    def get(self, request: Request, public_id: UUID) -> Response:
        contact = find_contact(public_id)
        refuse_null_characters(request.query_params)
        slug = request.query_params.get("workflow", "")
        if not slug:
            raise BadRequest(faults=[Fault("missing", "say which workflow, by its slug", ("workflow",))])
        workflow = find(slug)
        return Response(transactions.run(lambda now: why(contact_id=contact.pk, workflow=workflow, now=now)).as_dict())
