"""The way out: what may have left this process, and what certainly has not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from delivery import transport
from delivery.transport import Call, NoReply, NotStarted, Reply
from tests.delivery.providers.certificates import localhost
from tests.delivery.providers.stub import AFTER_BODY, BEFORE_BODY, IN_ANSWER, Reaction, Stub


@pytest.fixture
def stub() -> Iterator[Stub]:
    server = Stub()
    yield server
    server.stop()


def post(url: str, call: Call | None = None, *, seconds: float = 2.0, data: bytes = b"{}") -> Any:
    return transport.start(transport.post(url, data=data, headers={}, seconds=seconds, call=call)).result(10)


def call(seconds: float = 5.0) -> Call:
    return Call(time.monotonic() + seconds)


@pytest.mark.parametrize("breaks", [BEFORE_BODY, AFTER_BODY, IN_ANSWER])
def test_a_connection_that_breaks_after_the_first_byte_may_have_carried_everything(stub, breaks):
    stub.react = lambda request: Reaction(500, breaks=breaks)
    asked = call()
    reply = post(stub.url, asked, data=b"x" * 100_000)
    assert isinstance(reply, NoReply) and reply.began and asked.began


def test_a_good_status_counts_although_the_rest_of_the_answer_is_lost(stub):
    stub.react = lambda request: Reaction(202, breaks=IN_ANSWER)
    reply = post(stub.url, call())
    assert isinstance(reply, Reply) and (reply.status, reply.body) == (202, b"")


def test_an_answer_is_read_whole_up_to_a_limit(stub):
    stub.react = lambda request: Reaction(200, "x" * 50_000)
    assert len(post(stub.url).body) == 50_000
    stub.react = lambda request: Reaction(200, "x" * 5_000_000)
    assert len(post(stub.url).body) == transport.READ_AT_MOST


def test_no_redirect_is_followed(stub):
    stub.react = lambda request: Reaction(307, headers={"Location": f"{stub.url}/elsewhere"})
    assert post(f"{stub.url}/here").status == 307
    assert [each.path for each in stub.received] == ["/here"]


def test_a_certificate_that_is_not_believed_stops_it_before_the_first_byte(tmp_path):
    context, _ = localhost(tmp_path)
    server = Stub(ssl=context)
    asked = call()
    reply = post(server.url.replace("127.0.0.1", "localhost"), asked)
    server.stop()
    assert isinstance(reply, NoReply) and not reply.began and not asked.began
    assert server.received == []


def test_a_server_that_does_not_speak_tls_stops_it_before_the_first_byte(stub):
    reply = post(stub.url.replace("http:", "https:"), call())
    assert isinstance(reply, NoReply) and not reply.began
    assert stub.received == []


def test_a_name_that_nobody_has_is_no_doubt():
    reply = post("http://nobody.invalid/", call())
    assert isinstance(reply, NoReply) and not reply.began


def test_a_connection_that_does_not_come_about_is_waited_for_no_longer_than_the_lease():
    """A listener whose queue is full answers nobody."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for each in waiting:
        each.setblocking(False)
        each.connect_ex(full.getsockname())
    began = time.monotonic()
    reply = post(f"http://127.0.0.1:{full.getsockname()[1]}/", call(0.3), seconds=30)
    for each in [*waiting, full]:
        each.close()
    assert isinstance(reply, NoReply) and not reply.began
    assert time.monotonic() - began < 20


def test_a_request_whose_time_is_over_is_not_made(stub):
    with pytest.raises(NotStarted):
        post(stub.url, call(-0.1))
    assert stub.received == []


def proxy(answer: bytes) -> tuple[int, list[bytes]]:
    """A proxy that answers once."""
    listener, heard = socket.create_server(("127.0.0.1", 0)), []

    def serve() -> None:
        line, _ = listener.accept()
        heard.append(line.recv(10_000))
        line.sendall(answer)
        line.close()
        listener.close()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1], heard


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 407 Who are you\r\n\r\n", b"HTTP/1.1 502 Nobody there\r\n\r\n", b"HTTP/1.1 200 Ok\r\n\r\n", b""],
)
def test_what_happens_at_the_proxy_is_not_the_request_yet(monkeypatch, answer):
    port, heard = proxy(answer)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    transport.close()  # it looks once
    asked = call()
    reply = post("https://esp.example/", asked)
    transport.close()
    assert heard[0].startswith(b"CONNECT esp.example:443")
    assert isinstance(reply, NoReply) and not reply.began and not asked.began


@pytest.mark.skipif(not socket.has_ipv6, reason="there is no IPv6 here")
def test_ipv6_is_a_way_too():
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("there is no IPv6 loopback here")

    def serve() -> None:
        line, _ = listener.accept()
        line.recv(10_000)
        line.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        line.close()

    threading.Thread(target=serve, daemon=True).start()
    reply = post(f"http://[::1]:{listener.getsockname()[1]}/", call())
    listener.close()
    assert isinstance(reply, Reply) and reply.status == 204


def test_what_was_closed_is_opened_again_when_it_is_needed(stub):
    assert post(stub.url).status == 200
    first = transport._here()
    transport.close()
    transport.close()
    assert first.session.closed
    assert post(stub.url).status == 200
    assert transport._here() is not first
