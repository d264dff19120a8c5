"""Reports over HTTP: what there is to ask, the answers, and the same as files."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.reports import asked, files, reading, register, wording
from analytics.reports.asked import Asked, BadFilters
from analytics.reports.downloads import download
from analytics.reports.reading import Rows, Unreadable
from analytics.reports.report import Choice, Period, Report
from contacts.problems import BadRequest
from workflows.api.workflows import Conflict

FILTERS = OpenApiParameter(
    "filters",
    OpenApiTypes.OBJECT,
    style="form",
    explode=True,
    description="The report's own filters, each as a parameter; `GET /api/v1/reports` lists them.",
)


class ColumnShape(serializers.Serializer[Any]):
    """`kind`: text · stage · integer · number · share (of 1) · money · days · hours · date · month (its first day)."""

    key = serializers.CharField()
    label = serializers.CharField()
    kind = serializers.CharField()
    about = serializers.CharField()


class FilterShape(serializers.Serializer[Any]):
    """`options`: value and words, where they are written down; the first is meant where nothing is said."""

    key = serializers.CharField()
    label = serializers.CharField()
    type = serializers.ChoiceField(["choice", "text", "date"])
    options = serializers.DictField(child=serializers.CharField(), required=False)


class ReportShape(serializers.Serializer[Any]):
    slug = serializers.CharField()
    title = serializers.CharField()
    question = serializers.CharField()
    about = serializers.CharField()
    filters = FilterShape(many=True)
    columns = ColumnShape(many=True)


class ReportListShape(serializers.Serializer[Any]):
    """`as_of`: when the marts were built last; null: never."""

    as_of = serializers.DateTimeField(allow_null=True)
    results = ReportShape(many=True)


class ReportAnswerShape(serializers.Serializer[Any]):
    """`rows`: column -> value. `is_cut`: there are more than are told."""

    report = serializers.CharField()
    as_of = serializers.DateTimeField(allow_null=True)
    filters = serializers.DictField(child=serializers.CharField())
    columns = ColumnShape(many=True)
    rows = serializers.ListField(child=serializers.DictField())
    is_cut = serializers.BooleanField()


class ReportList(APIView):
    required_scope: ClassVar = "workflows:read"

    @extend_schema(operation_id="reports_list", responses=ReportListShape)
    def get(self, request: Request) -> Response:
        """Every report, with the filters that it takes and the columns that it has."""
        return Response({"as_of": reading.as_of(), "results": [_described(each) for each in register.reports()]})


class ReportDetail(APIView):
    required_scope: ClassVar = "workflows:read"

    @extend_schema(parameters=[FILTERS], responses=ReportAnswerShape)
    def get(self, request: Request, slug: str) -> Response:
        """The answer as of the last build. 409 while there is none, with the reason."""
        report, wanted, rows = _answer(request, slug)
        told = [
            {column.key: wording.number(column, value) for column, value in zip(report.columns, row, strict=True)}
            for row in rows.rows
        ]
        return Response(
            {
                "report": report.slug,
                "as_of": reading.as_of(),
                "filters": wanted.given,
                "columns": _columns(report),
                "rows": told,
                "is_cut": rows.is_cut,
            }
        )


class ReportFile(APIView):
    required_scope: ClassVar = "workflows:read"

    @extend_schema(
        parameters=[FILTERS, OpenApiParameter("kind", str, OpenApiParameter.PATH, enum=list(files.TYPES))],
        responses={(200, files.TYPES[files.PARQUET]): OpenApiTypes.BINARY, (200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request, slug: str, kind: str) -> StreamingHttpResponse:
        """The same as CSV or Parquet; the columns are called by their keys. 409 while there is no build."""
        report, _, rows = _answer(request, slug)
        return download(report, rows, kind)


def _answer(request: Request, slug: str) -> tuple[Report, Asked, Rows]:
    report = register.named(slug)
    if report is None:
        raise exceptions.NotFound("There is no such report.")
    try:
        wanted = asked.read(report, request.query_params.dict())
        return report, wanted, reading.read(report, wanted)
    except BadFilters as error:
        raise BadRequest("The filters are not valid.", error.faults) from error
    except Unreadable as error:
        raise Conflict(str(error)) from error


def _described(report: Report) -> dict[str, Any]:
    return {
        "slug": report.slug,
        "title": report.title,
        "question": report.question,
        "about": report.about,
        "filters": [_filter(each, key) for each in report.filters for key in asked.names(each)],
        "columns": _columns(report),
    }


def _filter(each: Any, key: str) -> dict[str, Any]:
    if isinstance(each, Choice):
        return {"key": key, "label": each.label, "type": "choice", "options": dict(each.options)}
    return {"key": key, "label": each.label, "type": "date" if isinstance(each, Period) else "text"}


def _columns(report: Report) -> list[dict[str, Any]]:
    return [
        {"key": column.key, "label": column.label, "kind": column.kind, "about": column.about}
        for column in report.columns
    ]
