"""A report as a file that a browser or a program downloads."""

from __future__ import annotations

from django.http import StreamingHttpResponse

from analytics.reports import files
from analytics.reports.reading import Rows
from analytics.reports.report import Report


def download(report: Report, rows: Rows, kind: str) -> StreamingHttpResponse:
    """`kind`: one of files.TYPES, and the end of the file's name, which says so where there are more rows."""
    cut = f"-first-{len(rows.rows)}-rows" if rows.is_cut else ""
    response = StreamingHttpResponse(files.pieces(report, rows.rows, kind), content_type=files.TYPES[kind])
    response["Content-Disposition"] = f'attachment; filename="{report.slug}{cut}.{kind}"'
    response["Cache-Control"] = "no-store"
    return response
