"""Whether a process is well, for those who watch containers."""

import socket
import threading

import pytest
import redis

from config import pulse
from config.lanes import LANES, heartbeat_of
from contacts import heartbeat, redis_index


@pytest.mark.parametrize("name", [*LANES, "dispatcher", "kafka"])
def test_a_process_is_well_while_it_beats(name):
    assert pulse.main([name]) == 1
    assert heartbeat.Heartbeat(heartbeat_of(name) if name in LANES else name).beat()
    assert pulse.main([name]) == 0
    assert pulse.main(["webhooks" if name != "webhooks" else "bulk"]) == 1, "another's heart"


def test_without_redis_nobody_is_at_fault(monkeypatch):
    def away():
        raise redis.ConnectionError

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(redis_index, "connection", away)
        assert pulse.main(["urgent"]) == 0


@pytest.mark.parametrize(("answer", "well"), [(b"200 OK", True), (b"400 Bad Request", True), (b"503 Not now", False)])
def test_a_web_that_answers_is_well(answer, well):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            link, _ = listening.accept()
            with link:
                link.recv(4096)
                link.sendall(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        assert pulse.web_answers(listening.getsockname()[1]) is well
        thread.join()


def test_a_web_that_is_not_there_is_not_well():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert not pulse.web_answers(port)


def test_a_name_that_nobody_has_is_a_mistake(capsys):
    assert pulse.main(["urgnt"]) == 2 and "usage" in capsys.readouterr().err


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/healthz/", "/readyz", "/metrics", "/metrics/"])
def test_programs_of_ones_own_network_are_not_sent_to_https(path, client, settings):
    """Prometheus and the probes ask the web itself, behind whatever ends TLS."""
    settings.SECURE_SSL_REDIRECT = True
    assert client.get(path).status_code in (200, 503)
