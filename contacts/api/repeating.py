"""POSTs that carry an `Idempotency-Key` (see `contacts.idempotency`)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from django.http import HttpRequest
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from contacts import idempotency
from contacts.access import Key
from contacts.api.bodies import read_body


class SayOnce(BasePermission):
    """After `HasScope`: a POST with an `Idempotency-Key` that was said before goes no further.

    A view that takes a body too large to be read twice says `reads_its_body`, and calls `say_once` itself."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.method == "POST" and not getattr(view, "reads_its_body", False):
            inner = request._request
            if idempotency.HEADER in inner.headers:
                say_once(inner, request.auth, [read_body(inner)])
        return True


def say_once(request: HttpRequest, key: Key, body: Iterable[bytes]) -> None:
    """`body`: in pieces. Raises BadRequest and Repeated, see `idempotency.begin`."""
    idempotency.begin(
        api_key_id=key.id,
        given=request.headers.get(idempotency.HEADER),
        route=f"{request.method} {request.path.rstrip('/')}",
        body=chain([request.META.get("QUERY_STRING", "").encode(), b"\0"], body),
    )
