"""What comes with a POST to a public page: anything at all. A button must work whatever a mail program sends along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, QueryDict
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError

from delivery.public.languages import WORDING, Language

LARGEST = 64 * 1024  # bytes; what is larger is not read


def fields(request: HttpRequest) -> QueryDict:
    """The form; empty where the body is none, is too large, or cannot be read. Never raises."""
    try:
        if not 0 < int(request.headers.get("Content-Length") or 0) <= LARGEST:
            return QueryDict()
        return request.POST
    except (BadRequest, SuspiciousOperation, MultiPartParserError, UnreadablePostError, ValueError, LookupError):
        return QueryDict()


def evidence(request: HttpRequest, *, page: str, language: Language) -> Mapping[str, Any]:
    """What proves what somebody said by pressing a button: the page, its words, and who asked."""
    return {
        "page": page,
        "wording": WORDING,
        "language": language.code,
        "ip": request.META.get("REMOTE_ADDR", ""),
        "user_agent": request.headers.get("User-Agent", "")[:500].replace("\x00", ""),
    }
