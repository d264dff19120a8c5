"""Bodies that are forms: their kind is told by how they begin, for the header that says so is not kept."""

from __future__ import annotations

from io import BytesIO

from django.core.exceptions import SuspiciousOperation
from django.http import QueryDict
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils.datastructures import MultiValueDict

from delivery.webhooks.elements import Unread


def fields(body: bytes) -> MultiValueDict[str, str]:
    """The fields of a form, multipart or url-encoded. Raises Unread."""
    try:
        if body.startswith(b"--"):
            return _multipart(body)
        return QueryDict(body.decode("utf-8"), mutable=False)
    except (ValueError, SuspiciousOperation, MultiPartParserError) as error:
        raise Unread("the body is not a form") from error


def _multipart(body: bytes) -> MultiValueDict[str, str]:
    boundary = body[2:].split(b"\r\n", 1)[0].strip()
    if not 0 < len(boundary) <= 200 or not boundary.isascii():
        raise Unread("the body is not a form")
    meta = {"CONTENT_TYPE": f"multipart/form-data; boundary={boundary.decode()}", "CONTENT_LENGTH": len(body)}
    found, _ = MultiPartParser(meta, BytesIO(body), []).parse()
    return found
