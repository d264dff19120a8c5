"""A contact's lifecycle: the stage, the moves that led to it, and a move by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.api.privacy import actor_of
from contacts.api.texts import Text
from contacts.faults import Fault
from contacts.living import find
from contacts.problems import BadRequest
from scoring.lifecycle import stages
from scoring.models import LifecycleEvent

MOVES_SHOWN = 200
LONGEST_REASON = 1000
SOURCE = "api"


class MoveShape(serializers.Serializer[Any]):
    """`actor`: who did it by hand; empty otherwise."""

    def get_fields(self) -> dict[str, Any]:
        return {
            "from": serializers.CharField(source="from_stage"),
            "to": serializers.CharField(source="to_stage"),
            "reason": serializers.CharField(),
            "source": serializers.CharField(),
            "actor": serializers.CharField(),
            "at": serializers.DateTimeField(source="occurred_at"),
        }


class LifecycleShape(serializers.Serializer[Any]):
    stage = serializers.CharField(allow_null=True)
    label = serializers.CharField(allow_null=True, help_text="what the stage is called here")
    events = MoveShape(many=True)


class MoveInput(serializers.Serializer[Any]):
    to = serializers.ChoiceField(stages.STAGES)
    reason = Text(max_length=LONGEST_REASON)


class Lifecycle(APIView):
    required_scope: ClassVar[Mapping[str, str]] = {"GET": "contacts:read", "POST": "contacts:write"}

    @extend_schema(responses=LifecycleShape)
    def get(self, request: Request, public_id: UUID) -> Response:
        """The stage (null: none yet) and the moves that led to it, newest first, the last 200."""
        return _shown(find(public_id).pk)

    @extend_schema(request=MoveInput, responses=LifecycleShape)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Move the contact to a stage, forward or back, and say why. Who is there already stays, and nothing is
        written."""
        contact_id, to_stage, reason = find(public_id).pk, *_understood(request.data)

        def work(now: datetime) -> None:
            stages.move(
                contact_ids=[contact_id],
                to_stage=to_stage,
                reason=reason,
                source=SOURCE,
                now=now,
                actor=actor_of(request),
            )

        transactions.run(work)
        return _shown(contact_id)


def _shown(contact_id: int) -> Response:
    moves = list(LifecycleEvent.objects.filter(contact_id=contact_id).order_by("-id")[:MOVES_SHOWN])
    stage = moves[0].to_stage if moves else None
    return Response(
        {
            "stage": stage,
            "label": stages.label(stage) if stage else None,
            "events": MoveShape(moves, many=True).data,
        }
    )


def _understood(raw: object) -> tuple[str, str]:
    """(stage, reason). Raises BadRequest."""
    if not isinstance(raw, dict):
        raise BadRequest('The body must be an object such as {"to": "sql", "reason": "Asked for a demo"}.')
    faults = [Fault("unknown_key", "unknown key", (str(key),)) for key in raw if key not in ("to", "reason")]
    to_stage, reason = raw.get("to"), raw.get("reason")
    if not isinstance(to_stage, str) or to_stage not in stages.STAGES:
        faults.append(Fault("choice", f"must be one of {', '.join(stages.STAGES)}", ("to",)))
    if fault := reason_fault(reason):
        faults.append(Fault("invalid", fault, ("reason",)))
    if faults:
        raise BadRequest("The move is not valid.", faults)
    return str(to_stage), str(reason).strip()


def reason_fault(reason: object) -> str:
    """What is wrong with the words for a move by hand; empty if nothing is."""
    if not isinstance(reason, str) or not reason.strip() or len(reason) > LONGEST_REASON:
        return f"must be a text of 1 to {LONGEST_REASON} characters"
    if any(character == "\x00" or "\ud800" <= character <= "\udfff" for character in reason):
        return "holds a character that cannot be stored"
    return ""
