"""A span for each request; in MIDDLEWARE only where there are traces."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from contacts import tracing

SILENT = frozenset({"healthz", "readyz", "metrics"})  # asked every few seconds, by name of their routes


class TraceRequests:
    """Continues the trace of whoever asks, and names the route, not the path: that may hold ids and tokens."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        mine = tracing.tracer()
        if mine is None or request.path.strip("/") in SILENT:
            return self.get_response(request)
        from opentelemetry.trace import SpanKind, Status, StatusCode

        parent = tracing.remote(request.headers.get(tracing.KEY, ""))
        given = {"http.request.method": request.method or ""}
        with tracing.spanning(
            mine, str(request.method), context=parent, kind=SpanKind.SERVER, attributes=given
        ) as span:
            response = self.get_response(request)
            route = request.resolver_match.route if request.resolver_match else "unknown"
            span.update_name(f"{request.method} {route}")
            span.set_attribute("http.route", route)
            span.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= 500:
                span.set_status(Status(StatusCode.ERROR))
            return response
