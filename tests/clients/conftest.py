"""A running web, the clients of Segment as their makers publish them, and a way between the two that loses answers."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.conf import settings

from tests.running_web import running_web

ROOT = Path(settings.BASE_DIR)
CLIENTS = ROOT / "var" / "clients"
PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="session", autouse=True)
def _installed() -> None:
    if not (CLIENTS / "installed").exists():
        pytest.skip("the clients are not installed: tests/clients/install.sh does that")


@pytest.fixture
def web(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """The address of a web with two workers over the database of the test."""
    with running_web(tmp_path, first_port=18_400) as running:
        yield running.url


@dataclass
class Way:
    """Passes requests on to `target`, and what it says of the first POSTs to `losing` answers: taken, but the sender is
    told nothing better than 502."""

    target: str
    losing: int = 0
    posts: list[str] = field(default_factory=list)
    lost: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def loses(self, path: str) -> bool:
        with self._lock:
            self.posts.append(path)
            if self.lost < self.losing:
                self.lost += 1
                return True
            return False


@pytest.fixture
def way(web: str) -> Iterator[tuple[str, Way]]:
    """The address of the way to the web, and the way itself."""
    found = Way(web)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            client = http.client.HTTPConnection(web.removeprefix("http://"), timeout=30)
            client.request(self.command, self.path, body=body, headers=dict(self.headers))
            response = client.getresponse()
            answer, status = response.read(), response.status
            if self.command == "POST" and found.loses(self.path):
                answer, status = b"lost", 502
            self.send_response(status)
            for name, value in response.getheaders():
                if name.lower() not in {"content-length", "connection", "transfer-encoding", "server", "date"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            client.close()

        do_GET = do_POST = do_OPTIONS = _pass_on

        def log_message(self, format: str, *args: object) -> None:
            pass

    with _serving(Handler) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}", found


class _serving:
    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self) -> ThreadingHTTPServer:
        self.thread.start()
        return self.server

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def site() -> Iterator[tuple[str, dict[str, tuple[str, bytes]]]]:
    """The address of somebody's site, at another origin than ours, and its pages: path -> (content type, body)."""
    pages: dict[str, tuple[str, bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, body = pages.get(self.path.partition("?")[0], ("text/plain", b""))
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with _serving(Handler) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}", pages


def run(program: str, *arguments: str) -> None:
    """Run one of PROGRAMS to its end; it must be content."""
    path = PROGRAMS / program
    if path.suffix == ".mjs":
        node = shutil.which("node")
        assert node, "there is no Node.js here"
        command = [node, str(path)]
    else:
        command = [str(CLIENTS / "venv" / "bin" / "python"), str(path)]
    environment = {"PATH": os.environ["PATH"], "CLIENTS": str(CLIENTS), "HOME": os.environ.get("HOME", "/")}
    done = subprocess.run(
        [*command, *arguments], env=environment, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
