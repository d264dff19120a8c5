"""Lists of the API: newest first, paged by a cursor, so that a page costs the same wherever it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from contacts.faults import Fault
from contacts.problems import BadRequest


class Page(serializers.Serializer[Any]):
    """How a page of a list is described; whoever inherits it says what `results` are."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


def yes_or_no(asked: Mapping[str, str], name: str) -> bool:
    """A parameter that is true or false; left out it is false. Raises BadRequest for what is neither."""
    said = asked.get(name, "false").lower()
    if said not in _SAID:
        raise BadRequest(faults=[Fault("choice", "must be true or false", (name,))])
    return _SAID[said]


_SAID = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Place:
    """Where a page is: before the row of this id (None: before all), or `backwards` from it, towards the newest."""

    id: int | None
    backwards: bool = False

    def bound(self, name: str) -> dict[str, int]:
        """What rows of this page and those beyond it have in common, as a filter."""
        return {} if self.id is None else {f"{name}__{'gt' if self.backwards else 'lt'}": self.id}


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

    def place(self, request: Request) -> Place:
        """Of the page that is asked for. Raises NotFound."""
        cursor = self.decode_cursor(request)
        if cursor is None or cursor.position is None:
            return Place(None)
        return Place(int(cursor.position), backwards=bool(cursor.reverse))

    def get_page_size(self, request: Request) -> int:
        """Raises BadRequest for a limit that is none; more than a page may have is a whole page."""
        said = request.query_params.get("limit", str(self.page_size))
        if not (said.isascii() and said.isdigit() and int(said[:9])):
            raise BadRequest(faults=[Fault("number", "must be a whole number from 1", ("limit",))])
        return min(int(said[:9]), self.max_page_size)

    def get_paginated_response(self, data: Sequence[object]) -> Response:
        return Response({"results": data, "next": self.get_next_link(), "previous": self.get_previous_link()})
