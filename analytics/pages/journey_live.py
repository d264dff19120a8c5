"""What a map on somebody's screen asks for every few seconds: the numbers that it shows, or 304 where nothing was
counted since."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse

from analytics.counting import standing
from analytics.pages import journey_numbers


def answer(
    request: HttpRequest, read: object, parts: Callable[[], Mapping[str, str]], *, reload: bool = False
) -> HttpResponse:
    """`parts`: HTML by the id of the element that it belongs into; drawn only if `read` is not what the asker has.
    `reload`: these are the numbers of another map."""
    tag = tag_of(read)
    if request.headers.get("If-None-Match") == tag:
        return HttpResponseNotModified(headers={"ETag": tag})
    return JsonResponse({"parts": parts(), "reload": reload}, headers={"ETag": tag, "Cache-Control": "no-cache"})


def tag_of(read: object) -> str:
    """The same for the same numbers."""
    return f'"{hashlib.blake2b(repr(read).encode(), digest_size=12).hexdigest()}"'


def standing_view(request: HttpRequest, pk: int) -> HttpResponse:
    """The cards of the builder: one statement. A journey that is not there has no numbers."""
    if not request.user.has_perm("workflows.view_workflow"):
        raise PermissionDenied
    read = standing.read(pk)
    return answer(request, read, lambda: journey_numbers.parts(journey_numbers.of_standing(read)))
