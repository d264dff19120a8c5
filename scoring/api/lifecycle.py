"""A contact's lifecycle: the stage, and the moves that led to it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts.living import find
from scoring.models import LifecycleEvent

MOVES_SHOWN = 200


class MoveShape(serializers.Serializer[Any]):
    def get_fields(self) -> dict[str, Any]:
        return {
            "from": serializers.CharField(source="from_stage"),
            "to": serializers.CharField(source="to_stage"),
            "reason": serializers.CharField(),
            "source": serializers.CharField(),
            "at": serializers.DateTimeField(source="occurred_at"),
        }


class LifecycleShape(serializers.Serializer[Any]):
    stage = serializers.CharField(allow_null=True)
    events = MoveShape(many=True)


class Lifecycle(APIView):
    required_scope = "contacts:read"

    @extend_schema(responses=LifecycleShape)
    def get(self, request: Request, public_id: UUID) -> Response:
        """The stage (null: none yet) and the moves that led to it, newest first, the last 200."""
        moves = list(LifecycleEvent.objects.filter(contact_id=find(public_id).pk).order_by("-id")[:MOVES_SHOWN])
        return Response({"stage": moves[0].to_stage if moves else None, "events": MoveShape(moves, many=True).data})
