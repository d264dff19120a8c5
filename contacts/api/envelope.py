"""What every request below /api/v1/ has around it: it is carried out once, however often it is sent, it counts, and its
answer may be narrowed, and left out where it is known."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from contacts import idempotency, limits
from contacts.api import freshness, narrowing

BELOW = "/api/v1/"


class Envelope:
    """Middleware. Behind `KnowWhoAsks`, and behind whatever changes answers: what is kept is what the view said."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(BELOW):
            return self.get_response(request)
        with idempotency.answering() as answered:
            response = freshness.answered(request, answered(self.get_response(request)))
        for name, value in limits.headers().items():
            response[name] = value
        return response

    def process_template_response(self, request: HttpRequest, response: Any) -> Any:
        """Before an answer is written as JSON: `?fields=`."""
        if request.method == "GET" and "fields" in request.GET and response.status_code == HTTPStatus.OK:
            narrowing.narrow(response, request.GET["fields"])
        return response
