"""Lists of the API: newest first, paged by a cursor, so that a page costs the same wherever it is."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response


class Page(serializers.Serializer[Any]):
    """How a page of a list is described; whoever inherits it says what `results` are."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class NewestFirst(CursorPagination):
    """`{results, next, previous}`; `?limit=` up to 200."""

    ordering = "-id"
    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Raises NotFound for a cursor that somebody made up: its position is the id of a row."""
        cursor = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None:
            position = cursor.position
            if not (position.isascii() and position.isdigit() and len(position) <= 18):
                raise NotFound(self.invalid_cursor_message)
        return cursor

    def get_paginated_response(self, data: Sequence[object]) -> Response:
        return Response({"results": data, "next": self.get_next_link(), "previous": self.get_previous_link()})
