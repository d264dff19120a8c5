"""The supervisor's look at /readyz, and what silence means."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from config import ports, readiness
from config.readiness import Answer, Silence


@pytest.fixture
def served():
    """Serves one answer on a port of its own."""
    servers = []

    def serve(status, body):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server.server_port

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, b'{"ready": true, "missing": []}', Answer(True, True, ())),
        (503, b'{"ready": false, "missing": ["lane bulk"]}', Answer(True, False, ("lane bulk",))),
        (500, b"<h1>Server Error</h1>", Answer(False, False, ("web",))),
        (200, b"[]", Answer(False, False, ("web",))),
    ],
)
def test_an_answer_is_read_whatever_it_is(served, status, body, answer):
    assert readiness.ask(served(status, body)) == answer


def test_no_answer_is_an_answer():
    assert readiness.ask(ports.free(23000)) == Answer(False, False, ("web",))


def silent(*names):
    return Answer(True, False, names)


def test_whoever_is_silent_for_long_is_stuck():
    silence = Silence()
    assert silence.stuck(silent("lane bulk"), 100.0) == []
    assert silence.stuck(silent("lane bulk", "dispatcher"), 120.0) == []
    assert silence.stuck(silent("lane bulk", "dispatcher"), 130.0) == ["lane bulk"]
    assert silence.stuck(silent("dispatcher"), 150.0) == ["dispatcher"]


def test_whoever_is_heard_again_begins_anew():
    silence = Silence()
    silence.stuck(silent("lane bulk"), 100.0)
    silence.stuck(silent(), 110.0)
    assert silence.stuck(silent("lane bulk"), 130.0) == []


@pytest.mark.parametrize("away", ["redis", "database", "broker"])
def test_silence_proves_nothing_while_others_are_away(away):
    silence = Silence()
    silence.stuck(silent("lane bulk"), 100.0)
    assert silence.stuck(silent("lane bulk", away), 200.0) == []
    assert silence.stuck(silent("lane bulk"), 201.0) == []


def test_silence_proves_nothing_while_the_web_does_not_answer():
    silence = Silence()
    silence.stuck(silent("lane bulk"), 100.0)
    assert silence.stuck(Answer(False, False, ("web",)), 200.0) == []
    assert silence.stuck(silent("lane bulk"), 229.0) == []
