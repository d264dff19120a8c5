"""Callers who never come to the point, callers who do not hang up, and those who send a body by the spoonful: they cost
whoever has something to say nothing. The real web, as `bin/up` starts it; slow bodies are kept off by nginx."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from config import doorkeeper
from tests.contacts.conftest import make_key
from tests.running_web import Web, running_web
from tests.wire.nginx import NGINX, check, running_nginx

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

WANTED = 5000
OWN_DESCRIPTORS = 500
HEAD = b"POST /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    with running_web(tmp_path, first_port=18_600, BEHIND_PROXY="true") as web:
        yield web


@contextmanager
def calling(port: int, count: int, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A crowd of tests.wire.slow_callers, all of whom are connected."""
    command = [sys.executable, "-m", "tests.wire.slow_callers", "--port", str(port), "--count", str(count), *options]
    crowd = subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True)
    try:
        assert crowd.stdout is not None
        assert crowd.stdout.readline() == "calling\n"
        yield crowd
    finally:
        crowd.kill()
        crowd.wait()


def answers(port: int, key: str, *, count: int) -> Counter[int]:
    """The statuses of this many events, sent by four at a time. Whoever hears nothing for 30 seconds gives up."""
    web = Web(port, process=None)

    def post(number: int) -> int:
        body = json.dumps({"events": [{"type": "signed_up", "contact": {"external_id": f"u{number}"}}]}).encode()
        return web.request(
            "POST", "/api/v1/events", body, Authorization=f"Bearer {key}", Content_Type="application/json"
        )[0]

    with ThreadPoolExecutor(4) as senders:
        return Counter(senders.map(post, range(count)))


def test_five_thousand_who_never_end_their_heads_stop_nobody_and_are_cut_off(web: Web) -> None:
    key, count = make_key("events:write"), min(WANTED, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - OWN_DESCRIPTORS)
    with calling(web.port, count) as crowd:
        assert psutil.Process(crowd.pid).num_fds() > count, "they hang on"
        assert sum(worker.num_fds() for worker in web.workers()) > count, "and the web listens to all of them"
        assert answers(web.port, key, count=100) == {202: 100}
        assert crowd.stdout is not None and crowd.stdout.readline() == "cut off\n"
        assert answers(web.port, key, count=100) == {202: 100}


def test_heads_that_are_slow_after_a_whole_request_stop_nobody(web: Web) -> None:
    key = make_key("events:write")
    slow = [socket.create_connection(("127.0.0.1", web.port)) for _ in range(64)]
    for number, connection in enumerate(slow):  # half of them in one breath with the request before
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + (HEAD if number % 2 else b""))
    for number, connection in enumerate(slow):
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        if not number % 2:
            connection.sendall(HEAD)
    assert answers(web.port, key, count=40) == {202: 40}
    for connection in slow:
        connection.close()


def test_callers_who_do_not_hang_up_stop_nobody(web: Web) -> None:
    key = make_key("events:write")
    silent = [socket.create_connection(("127.0.0.1", web.port)) for _ in range(100)]
    for connection in silent:
        connection.sendall(b"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
    assert answers(web.port, key, count=40) == {202: 40}
    for connection in silent:
        assert b" 200 OK" in connection.recv(100)
        connection.close()


def test_a_head_that_is_too_large_is_refused(web: Web) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=30) as connection:
        connection.sendall(HEAD + b"X-Large: " + b"x" * doorkeeper.HEAD_BYTES)
        assert connection.recv(1000).startswith(b"HTTP/1.1 431 ")


@pytest.mark.skipif(not NGINX, reason="nginx is not installed (Debian: apt-get install nginx-light)")
def test_two_thousand_slow_bodies_are_nginxs_matter(web: Web, tmp_path: Path) -> None:
    key = make_key("events:write")
    with running_nginx(tmp_path / "nginx", upstream=web.port, first_port=18_800) as port:
        with calling(port, 2000, "--bodies", "--spread"):
            assert answers(port, key, count=100) == {202: 100}
            assert answers(web.port, key, count=20) == {202: 20}
        with calling(port, 300, "--bodies"):  # all from one address, which is ours: we are told to come back later
            assert answers(port, key, count=10) == {429: 10}


@pytest.mark.skipif(not NGINX, reason="nginx is not installed (Debian: apt-get install nginx-light)")
def test_nginx_tells_who_asks_and_keeps_the_metrics_to_itself(web: Web, tmp_path: Path) -> None:
    with running_nginx(tmp_path / "nginx", upstream=web.port, first_port=18_800) as port:
        front = Web(port, process=None)
        assert front.request("GET", "/healthz")[0] == 200
        assert web.request("GET", "/metrics")[0] == 200
        assert front.request("GET", "/metrics")[0] == front.request("GET", "/metrics/")[0] == 404
        assert front.request("POST", "/v1/batch", b"x" * (42 * 1024 * 1024))[0] == 413


@pytest.mark.skipif(not NGINX, reason="nginx is not installed (Debian: apt-get install nginx-light)")
def test_nginx_finds_nothing_wrong_with_the_file_that_is_shipped(tmp_path: Path) -> None:
    assert check(tmp_path) == ""
