"""Puts the actor of every request in place (`contacts.authority`), and the chain that led to it (`contacts.hops`)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse

from contacts import authority, hops

HEADER = "X-Request-ID"
_SOUND = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class KnowWhoAsks:
    """After AuthenticationMiddleware. An id that a proxy gave the request is kept, where it looks like one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get(HEADER, "")
        request_id = given if _SOUND.fullmatch(given) else uuid.uuid4().hex
        chain = hops.arriving(request.headers.get(hops.HEADER, ""))
        with authority.asking(lambda: authority.of_user(request.user), request_id=request_id) as mine, chain:
            response = self.get_response(request)
        if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
            response.streaming_content = _within(mine, response.streaming_content)
        return response


def _within(mine: authority.Asking, chunks: Any) -> Iterator[bytes]:
    """What is written while it is sent belongs to the same request."""
    rest = iter(chunks)
    while True:
        with authority.resumed(mine):
            chunk = next(rest, None)
        if chunk is None:
            return
        yield chunk
