"""A whole installation for a story: the same programs that `bin/up` starts, over the database of the test. They come
from a nursery: there are ten of them, and a story is not about how they load their code."""

from __future__ import annotations

import http.client
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.db import connection

from analytics.counting import rebuild
from config import ports, readiness
from config.processes import Fleet, Process
from config.programs import Programs
from config.state import State
from tests import canaries
from tests.nursery import Nursery

PATIENCE_SECONDS = 90.0


class Forked(Process):
    """Starts, each time, as a child of the nursery."""

    def __init__(self, nursery: Nursery, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._nursery = nursery

    def _launch(self, output: int | None) -> subprocess.Popen[bytes]:
        assert output is not None and self._nursery.serves(self.command, self.environment)
        return cast("subprocess.Popen[bytes]", self._nursery.start(self.command, output, self.descriptors))


class Installation:
    """Running processes. `url` is where the web answers; `process(name)` is one of them, to be killed."""

    def __init__(self, folder: Path, *, speed: float, database: str = "") -> None:
        """`database`: another one than the test's."""
        self._folder = folder
        self._holder = ports.hold_free(18_000)
        self.port: int = self._holder.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        own = connection.settings_dict
        credentials = f"{own['USER']}:{own['PASSWORD']}@{own['HOST']}:{own['PORT']}"
        self.environment = os.environ | {  # of its programs, for commands that speak to it
            "CARILLON_STATE_DIR": str(folder),
            "DATABASE_URL": f"postgres://{credentials}/{database or own['NAME']}",
            "REDIS_URL": settings.REDIS_URL,
            "CELERY_BROKER_URL": settings.REDIS_URL,
            "REDIS_PREFIX": settings.REDIS_PREFIX,
            "SECRET_KEY": settings.SECRET_KEY,
            "PUBLIC_URL": self.url,
            "TIME_SPEED": f"{speed:g}",
            "STATIC_STORAGE": "django.contrib.staticfiles.storage.StaticFilesStorage",
        }
        self._nursery: Nursery | None = None
        self._programs = Programs(State(folder), self.environment, self._process)
        self._fleet = Fleet(lambda text: None)

    def __enter__(self) -> Installation:
        self._nursery = Nursery(self.environment, self._folder / "nursery.log")
        self._fleet.launch(*self._programs.workers())
        self._fleet.launch(*self._programs.ringers())
        self._fleet.launch(self._programs.web(self._holder.fileno()))
        self.until(lambda: readiness.ask(self.port).ready, "the installation to be ready")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """However a story ends, its counters are what the facts say, and no log says who somebody is."""
        self._fleet.stop(hurry=lambda: False)
        if self._nursery is not None:
            self._nursery.close()
        self._holder.close()
        if kind is None:
            canaries.refuse_in_files(self._folder)
            assert rebuild.compare().differences == ()

    def until(self, happened: Callable[[], bool], what: str) -> None:
        """Wait for something that the installation does by itself; whoever dies meanwhile is started again."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not happened():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {PATIENCE_SECONDS:.0f} s for {what}; logs: {self._tails()}")
            self._fleet.tend(time.monotonic())
            time.sleep(0.05)

    def _process(self, *arguments: Any, **options: Any) -> Process:
        return Forked(self._nursery, *arguments, **options) if self._nursery else Process(*arguments, **options)

    def process(self, name: str) -> Process:
        return next(process for process in self._fleet.processes if process.name == name)

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes, dict[str, str]]:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            client.request(method, path, body=body, headers={name.replace("_", "-"): v for name, v in headers.items()})
            response = client.getresponse()
            return response.status, response.read(), {name.lower(): value for name, value in response.getheaders()}
        finally:
            client.close()

    def _tails(self) -> str:
        return "\n".join(f"--- {process.name}\n{process.tail()}" for process in self._fleet.processes)


class WebAlone(Installation):
    """Only the web, for what is answered at once: it starts in a few seconds, and nobody works off anything."""

    def __enter__(self) -> WebAlone:
        self._fleet.launch(self._programs.web(self._holder.fileno()))
        self.until(self._answers, "the web to answer")
        return self

    def _answers(self) -> bool:
        try:
            return self.request("GET", "/healthz")[0] == http.client.OK
        except OSError:
            return False
