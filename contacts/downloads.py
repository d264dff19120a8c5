"""Files that a browser or a program downloads while they are made."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import StreamingHttpResponse

from contacts.exporting import FORMATS


def download(pieces: Iterator[str], kind: str, name: str = "contacts") -> StreamingHttpResponse:
    """`kind`: one of exporting.FORMATS, and the end of the file's name."""
    response = StreamingHttpResponse(pieces, content_type=f"{FORMATS[kind]}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    response["Cache-Control"] = "no-store"
    return response
