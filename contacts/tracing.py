"""Traces, where an operator wants them (OTEL_EXPORTER_OTLP_ENDPOINT and requirements-tracing.txt); otherwise all of
this is one question whether there is a tracer.

An event carries the context of the request that brought it, as `traceparent` in its context (W3C Trace Context), so it
is stored with it and outlives every process. Whoever works on a batch has no one parent: its span has a link to the
context of each event that it works for. Attributes hold lanes, sizes and names of routes, never anything of a person,
and of an error its kind."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection

from contacts import outside

if TYPE_CHECKING:
    from contacts.events import NewEvent

log = logging.getLogger(__name__)

KEY = "traceparent"
MOST_LINKS = 128  # of one span; the convention's limit
SERVICE = "carillon"

_NOTHING: AbstractContextManager[None] = nullcontext()
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_OF_EVENTS = """
    SELECT DISTINCT e.context ->> 'traceparent'
      FROM unnest(%s::bigint[], %s::timestamptz[]) AS b(id, recorded_at)
      JOIN contact_events e ON e.id = b.id AND e.recorded_at = b.recorded_at
     WHERE e.context ? 'traceparent' LIMIT %s
"""

Links = Callable[[], Iterable[str]]
_finders: dict[str, Callable[[Sequence[int]], Iterable[str]]] = {}


def tracer() -> Any:
    """This process's tracer, or None: nobody wants traces, or what happens is a simulation."""
    return None if outside.is_closed() else _made()


@cache
def _made() -> Any:
    """Made when it is first asked for, so after a server has forked."""
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("OTEL_EXPORTER_OTLP_ENDPOINT is set, and the packages of requirements-tracing.txt are not there")
        return None
    provider = TracerProvider(resource=Resource.create({"service.name": settings.OTEL_SERVICE_NAME}))
    endpoint = f"{settings.OTEL_EXPORTER_OTLP_ENDPOINT.rstrip('/')}/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return provider.get_tracer(SERVICE)


# -- spans -------------------------------------------------------------------------------------------------------------


def batch(name: str, *, links: Links, size: int, **about: str) -> AbstractContextManager[Any]:
    """A span of work on `size` things at once. `links` is asked for the `traceparent` of the events they came from, and
    only if there is a tracer: it may cost a statement."""
    if (mine := tracer()) is None or not size:
        return _NOTHING
    attributes: dict[str, str | int] = {f"{SERVICE}.{key}": value for key, value in about.items()}
    return _batch(mine, name, links, attributes | {f"{SERVICE}.size": size})


@contextmanager
def _batch(mine: Any, name: str, links: Links, attributes: Mapping[str, str | int]) -> Iterator[Any]:
    from opentelemetry.trace import Link

    found = [Link(_context_of(each)) for each in links() if is_traceparent(each)]
    with spanning(mine, name, links=found[:MOST_LINKS], attributes=attributes) as span:
        yield span


@contextmanager
def spanning(mine: Any, name: str, **given: Any) -> Iterator[Any]:
    """A span of this tracer. Of an error its kind is told: its words may hold an address."""
    from opentelemetry.trace import Status, StatusCode

    with mine.start_as_current_span(name, record_exception=False, set_status_on_exception=False, **given) as span:
        try:
            yield span
        except BaseException as error:
            span.set_status(Status(StatusCode.ERROR, f"{type(error).__module__}.{type(error).__name__}"))
            raise


# -- contexts ----------------------------------------------------------------------------------------------------------


def is_traceparent(value: object) -> bool:
    return isinstance(value, str) and _TRACEPARENT.fullmatch(value) is not None


def remote(traceparent: str) -> Any:
    """The context of a request that names one, to be the parent of a span; None for what is none."""
    if not is_traceparent(traceparent):
        return None
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context

    return set_span_in_context(NonRecordingSpan(_context_of(traceparent)))


def carrying(events: Sequence[NewEvent]) -> Sequence[NewEvent]:
    """The same events, each with a `traceparent`: its own, or that of the span in which this is asked, or of a new one.
    What is not sampled is not written down."""
    mine = tracer()
    if mine is None or all(is_traceparent(event.context.get(KEY)) for event in events):
        return events
    from opentelemetry.trace import get_current_span

    span = get_current_span()
    if not span.get_span_context().is_valid:
        span = mine.start_span("record events", attributes={"carillon.events": len(events)})
        span.end()
    context = span.get_span_context()
    if not context.trace_flags.sampled:
        return events
    ours = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    return [
        event if is_traceparent(event.context.get(KEY)) else event._replace(context={**event.context, KEY: ours})
        for event in events
    ]


def _context_of(traceparent: str) -> Any:
    from opentelemetry.trace import SpanContext, TraceFlags

    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


# -- whose events these are --------------------------------------------------------------------------------------------


def of_events(ids: Sequence[int], recorded_at: Sequence[Any]) -> list[str]:
    """The contexts of these events, at most MOST_LINKS. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_OF_EVENTS, [list(ids), list(recorded_at), MOST_LINKS])
        return [found for (found,) in cursor.fetchall()]


def register_finder(kind: str, find: Callable[[Sequence[int]], Iterable[str]]) -> None:
    """An upper floor knows which events its things came from: `find(ids)` gives their contexts in one statement."""
    _finders[kind] = find


def of(kind: str, ids: Sequence[int]) -> list[str]:
    """The contexts of the events that these things came from; none where nobody knows."""
    find = _finders.get(kind)
    return list(find(ids)) if find and ids else []
