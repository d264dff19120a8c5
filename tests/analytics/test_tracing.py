"""Traces, where somebody wants them: one event is followed through intake, engine, delivery and webhook, by links.
Where nobody does, there is no trace of them anywhere."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from sendgrid.helpers.eventwebhook import EventWebhookHeader

from contacts import outside, tracing
from contacts.models import ContactEvent
from delivery import sending
from delivery.models import Message
from delivery.providers.sandbox import key as sandbox_key
from delivery.webhooks import feedback
from tests import journeys
from tests.contacts.conftest import Api, make_key
from tests.journeys import definition, step
from workflows.errands import webhook_calls
from workflows.models import Enrolment

pytestmark = pytest.mark.django_db(transaction=True)

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
PERSONAL = ("ada@example.com", "ada%40example.com", "Lovelace", "secret-order")


@pytest.fixture
def spans(settings, monkeypatch):
    """Called, what has ended so far, by name."""
    pytest.importorskip("opentelemetry.sdk", reason="requirements-tracing.txt is not installed")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    settings.MIDDLEWARE = ["contacts.tracing_requests.TraceRequests", *settings.MIDDLEWARE]
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_made", lambda: provider.get_tracer("test"))

    def ended() -> dict[str, list]:
        found: dict[str, list] = {}
        for span in exporter.get_finished_spans():
            found.setdefault(span.name, []).append(span)
        return found

    return ended


def say(*, traceparent: str | None = TRACEPARENT, email: str = "ada@example.com", **event) -> None:
    element = {"type": "signed_up", "contact": {"email": email}, "properties": {"order": "secret-order"}, **event}
    headers = {"traceparent": traceparent} if traceparent else {}
    body = json.dumps({"events": [element]}).encode()
    assert Api(make_key("events:write")).post_bytes(body, **headers).status_code == 202


def report(mid: str, kind: str = "delivered") -> None:
    body = json.dumps([{"event": kind, "mid": mid, "email": "ada@example.com", "timestamp": 1700000000}]).encode()
    headers = {EventWebhookHeader.TIMESTAMP: "1", EventWebhookHeader.SIGNATURE: sandbox_key.sign("1", body)}
    assert (
        Client().post("/webhooks/sandbox/", body, content_type="application/json", headers=headers).status_code == 200
    )
    while feedback.fold_batch():
        pass


def leads_to(span) -> set[str]:
    """The traces that a span links to."""
    return {f"{link.context.trace_id:032x}" for link in span.links}


def welcome() -> None:
    journeys.template("welcome")
    steps = {"welcome": step("send_email", {"next": "pause"}, template="welcome"),
             "pause": step("wait", {"next": None}, mode="duration", **{"for": "P3D"})}  # fmt: skip
    journeys.publish(definition(steps))


def test_one_event_is_followed_from_the_request_to_the_providers_report(spans):
    welcome()
    say()
    journeys.run()
    assert sending.deliver_batch("urgent")
    report(str(Message.objects.get().public_id))

    found = spans()
    (request,) = found[r"POST ^api/v1/events/?$"]
    assert (f"{request.context.trace_id:032x}", f"{request.parent.span_id:016x}") == (TRACE, PARENT)
    event = ContactEvent.objects.get(type="signed_up")
    assert event.context["traceparent"] == f"00-{TRACE}-{request.context.span_id:016x}-01"
    for name in ("intake.match", "engine.advance", "delivery.send", "webhooks.fold"):
        first = found[name][0]
        assert leads_to(first) == {TRACE}, name
        assert {link.context.span_id for link in first.links} == {request.context.span_id}
        assert first.parent is None and f"{first.context.trace_id:032x}" != TRACE
        assert first.attributes["carillon.size"] == 1
    assert found["delivery.send"][0].attributes["carillon.channel"] == "email"
    assert any("webhooks" in name for name in found if name.startswith("POST"))


def test_a_batch_has_a_link_to_each_of_its_events_and_no_parent(spans):
    welcome()
    traces = [f"{n:032x}" for n in range(1, 6)]
    for n, trace in enumerate(traces):
        say(traceparent=f"00-{trace}-{PARENT}-01", email=f"c{n}@example.com")
    journeys.run()
    while sending.deliver_batch("urgent"):
        pass
    found = spans()
    for name in ("intake.match", "engine.advance", "delivery.send"):
        assert set().union(*map(leads_to, found[name])) == set(traces), name
    assert max(len(span.links) for span in found["engine.advance"]) == 5


def test_an_event_that_names_its_own_trace_keeps_it_and_nonsense_is_replaced(spans):
    own = f"00-{'a' * 32}-{'b' * 16}-01"
    say(context={"traceparent": own})
    assert ContactEvent.objects.latest("id").context["traceparent"] == own
    for nonsense in ("00-0-0-0", f"00-{'0' * 32}-{'b' * 16}-01", "x" * 500, 7):
        say(context={"traceparent": nonsense}, event_id=str(nonsense)[:40])
        assert TRACE in ContactEvent.objects.latest("id").context["traceparent"]


@pytest.mark.parametrize("header", [None, "nonsense", f"00-{'0' * 32}-{PARENT}-01", "00-" + "é" * 32])
def test_without_a_trace_of_its_own_a_request_begins_one(spans, header):
    say(traceparent=header)
    (request,) = spans()[r"POST ^api/v1/events/?$"]
    assert request.parent is None
    assert f"{request.context.trace_id:032x}" in ContactEvent.objects.get().context["traceparent"]


def test_what_nobody_samples_is_not_written_down(spans):
    say(traceparent=f"00-{TRACE}-{PARENT}-00")
    assert "traceparent" not in ContactEvent.objects.get().context
    assert "POST ^api/v1/events/?$" not in spans()


def test_events_that_come_by_no_request_begin_a_trace_and_ours_belong_to_their_cause(spans):
    welcome()
    journeys.track(journeys.contact().pk, "signed_up")
    began = spans()["record events"][0]
    assert f"{began.context.trace_id:032x}" in ContactEvent.objects.get(type="signed_up").context["traceparent"]
    journeys.run()
    sending.deliver_batch("urgent")
    report(str(Message.objects.get().public_id), "open")
    opened = ContactEvent.objects.get(type="email_opened")
    (fold,) = spans()["webhooks.fold"]
    assert opened.context["traceparent"].split("-")[2] == f"{fold.context.span_id:016x}"


def test_calls_of_the_step_are_linked_too(spans, settings):
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    journeys.publish(definition({"call": step("call_webhook", url="http://127.0.0.1:9/x")}))
    say()
    journeys.run()
    webhook_calls.call_batch("urgent", patience=None)
    assert leads_to(spans()["webhooks.call"][0]) == {TRACE}


def test_nothing_of_a_person_is_told(spans):
    welcome()
    say(contact={"email": "ada@example.com", "external_id": "Lovelace"})
    journeys.run()
    sending.deliver_batch("urgent")
    mid = str(Message.objects.get().public_id)
    report(mid)
    Client().get("/u/a-token-of-ada@example.com?x=Lovelace")
    told = json.dumps([json.loads(span.to_json()) for several in spans().values() for span in several])
    assert [word for word in (*PERSONAL, mid, "a-token") if word in told] == []


def test_of_an_error_its_kind_is_told_and_never_its_words(spans, monkeypatch):
    welcome()
    say()

    def breaks(*_, **__):
        raise ValueError("ada@example.com")

    monkeypatch.setattr("workflows.intake._triggers", breaks)
    with pytest.raises(ValueError, match="ada"):
        journeys.run()
    (span,) = spans()["intake.match"]
    assert span.status.description == "builtins.ValueError" and not span.events
    assert "ada@example.com" not in span.to_json()


def test_a_simulation_leaves_no_trace(spans):
    with outside.closed():
        assert tracing.tracer() is None
        journeys.track(journeys.contact().pk, "signed_up")
    assert spans() == {} and ContactEvent.objects.get().context == {}


def test_probes_are_not_traced(spans):
    Client().get("/healthz")
    assert spans() == {}


def test_where_nobody_wants_traces_no_event_carries_one_and_no_statement_asks(monkeypatch):
    """And nothing of OpenTelemetry is touched."""
    assert tracing.tracer() is None

    def asked(*_):
        raise AssertionError("asked for links that nobody needs")

    monkeypatch.setattr(tracing, "of", asked)
    monkeypatch.setattr(tracing, "of_events", asked)
    welcome()
    with CaptureQueriesContext(connection) as queries:
        say()
        journeys.run()
        sending.deliver_batch("urgent")
    assert ContactEvent.objects.get(type="signed_up").context == {}
    assert Enrolment.objects.count() == 1
    assert not [query for query in queries.captured_queries if "traceparent" in query["sql"]]


def test_spans_reach_a_collector(settings):
    pytest.importorskip("opentelemetry.sdk", reason="requirements-tracing.txt is not installed")
    got: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = f"http://127.0.0.1:{server.server_address[1]}"
    tracing._made.cache_clear()
    try:
        with tracing.batch("engine.advance", links=lambda: [TRACEPARENT], size=3, lane="urgent"):
            pass
        tracing.tracer().span_processor.force_flush()
        ((path, body),) = got
        assert path == "/v1/traces"
        assert b"engine.advance" in body and bytes.fromhex(TRACE) in body
    finally:
        tracing._made.cache_clear()
        server.shutdown()
        server.server_close()
        thread.join()
