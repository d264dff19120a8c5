"""A running web with two workers over the database of the test, as `bin/up` starts it; nothing else runs."""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from django.conf import settings
from django.db import connection

from config import ports
from config.processes import Fleet, Process
from config.programs import Programs
from config.state import State
from tests import canaries

PATIENCE_SECONDS = 60.0


class Web:
    """`url` is where it answers; `process` is gunicorn's arbiter."""

    def __init__(self, port: int, process: Process) -> None:
        self.port, self.process = port, process
        self.url = f"http://127.0.0.1:{port}"

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            client.request(method, path, body=body, headers={name.replace("_", "-"): v for name, v in headers.items()})
            response = client.getresponse()
            return response.status, response.read()
        finally:
            client.close()

    def workers(self) -> list[psutil.Process]:
        assert self.process.child is not None
        return psutil.Process(self.process.child.pid).children()

    def memory(self) -> int:
        """Bytes of the worker that has most."""
        return max(worker.memory_info().rss for worker in self.workers())


@contextmanager
def running_web(folder: Path, *, first_port: int, **environment: str) -> Iterator[Web]:
    """`environment`: settings beside those that every web of a test has."""
    holder = ports.hold_free(first_port)
    port = holder.getsockname()[1]
    database = connection.settings_dict
    credentials = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
    own = {
        "CARILLON_STATE_DIR": str(folder),
        "DATABASE_URL": f"postgres://{credentials}/{database['NAME']}",
        "REDIS_URL": settings.REDIS_URL,
        "CELERY_BROKER_URL": settings.REDIS_URL,
        "REDIS_PREFIX": settings.REDIS_PREFIX,
        "SECRET_KEY": settings.SECRET_KEY,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "STATIC_STORAGE": "django.contrib.staticfiles.storage.StaticFilesStorage",
    }
    programs = Programs(State(folder), os.environ | own | environment)
    fleet = Fleet(lambda text: None)
    process = programs.web(holder.fileno())
    fleet.launch(process)
    web = Web(port, process)
    try:
        _until_it_answers(web)
        yield web
    finally:
        fleet.stop()
        holder.close()
    canaries.refuse_in_files(folder)


def _until_it_answers(web: Web) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if web.request("GET", "/healthz")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"the web does not answer: {web.process.tail()}")
