"""What kinds of events there are, over HTTP."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from contacts import catalogue
from contacts.models import SeenEvent
from contacts.paging import NewestFirst
from contacts.problems import refuse_null_characters

JSON_TYPES = ("array", "boolean", "null", "number", "object", "string")


class PropertyShape(serializers.Serializer[Any]):
    """`types`: the JSON types that its values had. The values are not kept."""

    name = serializers.CharField()
    types = serializers.ListField(child=serializers.ChoiceField(choices=JSON_TYPES))


class TypeShape(serializers.Serializer[Any]):
    """`last_seen_at` is brought up to date once an hour."""

    type = serializers.CharField()
    first_seen_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    properties = PropertyShape(many=True)


class EventCatalogue(ListAPIView[SeenEvent]):
    required_scope = "contacts:read"
    pagination_class = NewestFirst
    filter_backends = ()

    def get_queryset(self) -> QuerySet[SeenEvent]:
        refuse_null_characters(self.request.query_params)
        types = SeenEvent.objects.filter(property="")
        wanted = self.request.query_params.get("type", "")
        return types.filter(event_type=wanted) if wanted else types

    @extend_schema(
        operation_id="events_catalogue",
        responses=TypeShape(many=True),
        parameters=[OpenApiParameter("type"), OpenApiParameter("cursor"), OpenApiParameter("limit", int)],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Every type of event that was seen, the one that was new last first, with the properties (of the top level) it
        came with; `?type=` shows one. Limits: about 1,000 types, 200 properties each, names of 100 characters."""
        page = self.paginate_queryset(self.get_queryset()) or []
        found = catalogue.properties_of([seen.event_type for seen in page])
        return self.get_paginated_response(
            [
                {
                    "type": seen.event_type,
                    "first_seen_at": seen.first_seen_at,
                    "last_seen_at": seen.last_seen_at,
                    "properties": [
                        {"name": name, "types": types} for name, types in found.get(seen.event_type, {}).items()
                    ],
                }
                for seen in page
            ]
        )
