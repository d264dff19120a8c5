"""What is known of a contact's past, over HTTP: the timeline."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from contacts import timeline, timeline_sources  # noqa: F401  (registers its sources)
from contacts.living import find
from contacts.paging import NewestFirst, Page
from contacts.problems import BadRequest


class EntryShape(serializers.Serializer[Any]):
    """`type` and `data` are for programs, `title` and `detail` for people; `source` is one of those that tell."""

    type = serializers.CharField()
    at = serializers.DateTimeField()
    source = serializers.CharField()
    title = serializers.CharField()
    detail = serializers.CharField()
    data = serializers.JSONField()


class EntryPage(Page):
    results = EntryShape(many=True)


class Timeline(APIView):
    required_scope = "contacts:read"

    @extend_schema(
        responses=EntryPage,
        parameters=[OpenApiParameter("source"), OpenApiParameter("cursor"), OpenApiParameter("limit", int)],
    )
    def get(self, request: Request, public_id: UUID) -> Response:
        """Everything that every floor knows of this contact, newest first, `?limit=` up to 200; `?source=events` shows
        one source alone. Pages lead into the past only: `previous` is always null."""
        contact = find(public_id)
        only = request.query_params.get("source", "")
        known = [source.name for source in timeline.sources()]
        if only and only not in known:
            raise BadRequest(f"source must be one of {', '.join(known)}.")
        limit = NewestFirst().get_page_size(request) or NewestFirst.page_size
        try:
            page = timeline.page(
                contact_id=contact.pk,
                only=only,
                cursor=request.query_params.get("cursor", ""),
                limit=limit,
                whole=True,
            )
        except timeline.BadCursor as error:
            raise NotFound("Invalid cursor") from error
        onward = replace_query_param(request.build_absolute_uri(), "cursor", page.cursor) if page.cursor else None
        return Response({"results": EntryShape(page.entries, many=True).data, "next": onward, "previous": None})
