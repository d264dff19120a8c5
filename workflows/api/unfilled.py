"""Who of a journey's audience lacks what its messages name."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import transactions
from contacts.conditions import BadCondition
from contacts.problems import BadRequest
from delivery.api.previews import MissingShape
from workflows import unfilled
from workflows.api.workflows import find
from workflows.unfilled import Unreadable


class MissingByTemplate(serializers.Serializer[Any]):
    templates = serializers.DictField(child=MissingShape())


class Missing(APIView):
    required_scope = "contacts:read"

    @extend_schema(responses=MissingByTemplate)
    def get(self, request: Request, slug: str) -> Response:
        """Of the draft, for each template that it names. 400 where the draft cannot be read yet."""
        draft = find(slug).draft
        try:
            told = transactions.run(lambda now: unfilled.reports(draft, now=now))
        except (Unreadable, BadCondition) as error:
            raise BadRequest("The draft cannot be read: see /validate.") from error
        return Response({"templates": {name: MissingShape(each).data for name, each in told.items()}})
