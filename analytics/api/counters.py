"""What happened in a workflow, over HTTP."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.counting import counters
from workflows.api.workflows import find


class CountersShape(serializers.Serializer[Any]):
    """`enrolments`: by state, and by reason where they exited; `steps`: by key, {entered, …}; `templates`: by slug,
    {queued, accepted, …}; `variants`: by experiment and variant, what people did after they took it."""

    entered = serializers.IntegerField()
    refused = serializers.DictField(child=serializers.IntegerField())
    enrolments = serializers.DictField()
    steps = serializers.DictField()
    templates = serializers.DictField()
    variants = serializers.DictField()


class Counters(APIView):
    required_scope = "workflows:read"

    @extend_schema(responses=CountersShape)
    def get(self, request: Request, slug: str) -> Response:
        """Everything that was counted in this workflow, up to this moment."""
        return Response(counters.totals(find(slug).pk))
