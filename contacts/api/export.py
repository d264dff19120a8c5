"""Contacts as a file, over HTTP."""

from __future__ import annotations

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from contacts.downloads import download
from contacts.exporting import CSV, FORMATS, Selection, Table, export
from contacts.faults import Fault
from contacts.paging import yes_or_no
from contacts.problems import BadRequest


class ContactExport(APIView):
    required_scope = "contacts:read"

    @extend_schema(
        operation_id="contacts_export",
        parameters=[
            OpenApiParameter("as", enum=[*FORMATS], default=CSV),
            *(OpenApiParameter(name) for name in ("tag", "list", "segment")),
            OpenApiParameter("columns", description="Separated by commas; all that there are otherwise."),
            OpenApiParameter("raw", bool, description="Cells as they are, also those that a spreadsheet would run."),
        ],
        responses={(200, kind): OpenApiTypes.STR for kind in FORMATS.values()},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """All contacts, or those with a tag, in a list or in a segment, as CSV, TSV or JSON lines, in one stream. Cells
        that a spreadsheet would run begin with an apostrophe, unless `?raw=true`."""
        asked = request.query_params
        for name in ("tag", "list", "segment"):  # half a name must not mean everybody
            if name in asked and (not asked[name].strip() or "\x00" in asked[name]):
                raise BadRequest("This selects nobody.", [Fault("name", "must be a name", (name,))])
        kind = asked.get("as", CSV)
        if kind not in FORMATS:
            raise BadRequest(
                "There is no such format.", [Fault("unknown", f"must be one of {', '.join(FORMATS)}", ("as",))]
            )
        columns = [name.strip() for name in asked["columns"].split(",")] if asked.get("columns") else None
        pieces = export(
            Selection(asked.get("tag", ""), asked.get("list", ""), asked.get("segment", "")),
            Table(kind, columns, yes_or_no(asked, "raw")),
        )
        return download(pieces, kind)
