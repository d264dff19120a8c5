"""The condition language over HTTP: what there is to ask about, and what a condition says in English."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts.conditions.catalogue import describe
from contacts.conditions.grammar import CONTACT, SCOPES
from contacts.conditions.verdict import verdict
from contacts.faults import Fault
from contacts.problems import BadRequest


class ConditionProblem(serializers.Serializer[Any]):
    path = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class Explained(serializers.Serializer[Any]):
    """`sentence` is null where there are problems."""

    valid = serializers.BooleanField()
    sentence = serializers.CharField(allow_null=True)
    problems = ConditionProblem(many=True)


class ConditionCatalogue(APIView):
    required_scope = "contacts:read"

    @extend_schema(responses={200: {"type": "object"}})
    def get(self, request: Request) -> Response:
        """What a condition may ask about here: fields with their operators, attributes and events that were seen, and
        the names of tags, lists and segments."""
        return Response(describe())


class ConditionExplain(APIView):
    required_scope = "contacts:read"

    @extend_schema(
        request={
            "application/json": {
                "type": "object",
                "required": ["condition"],
                "properties": {
                    "condition": {"description": "Anything; what is no condition is told so."},
                    "scope": {"type": "array", "items": {"type": "string", "enum": ["event", "trigger"]}},
                },
            }
        },
        responses=Explained,
    )
    def post(self, request: Request) -> Response:
        """One English sentence of `condition`, or everything that is wrong with it, each problem with its path. `scope`
        adds `event` (the event at hand) and `trigger` (the entry event) to what may be asked."""
        body = request.data
        if not isinstance(body, dict) or "condition" not in body:
            raise BadRequest("Send an object with a condition.", [Fault("missing", "is missing", ("condition",))])
        return Response(verdict(body["condition"], scope=_scope(body.get("scope", []))))


def _scope(said: Any) -> frozenset[str]:
    if not isinstance(said, list) or not all(isinstance(each, str) and each in SCOPES for each in said):
        known = ", ".join(sorted(SCOPES))
        raise BadRequest("The request is not valid.", [Fault("choice", f"must be a list of {known}", ("scope",))])
    return CONTACT | frozenset(said)
