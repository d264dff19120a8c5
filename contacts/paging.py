"""Lists of the API: newest first, paged by a cursor, so that a page costs the same wherever it is."""

from rest_framework.pagination import CursorPagination
from rest_framework.response import Response


class NewestFirst(CursorPagination):
    """`{results, next, previous}`; `?limit=` up to 200."""

    ordering = "-id"
    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"

    def get_paginated_response(self, data: list[object]) -> Response:
        return Response({"results": data, "next": self.get_next_link(), "previous": self.get_previous_link()})
