"""Where one run plays: a database of its own made from a furnished template, an emptied Redis, its own stub ESP, and
the product's processes, all of it under one directory."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from tests import canaries
from tests.drills.rig import stub_webhooks
from tests.drills.rig.processes import PYTHON, ROOT, Crew, Program, spawn
from tests.drills.rig.servers import Servers, free_port
from tests.drills.rig.stub_plan import StubPlan
from tests.nursery import Nursery

MIGRATED, TEMPLATE = "template_of_drills", "template_of_runs"
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "TZ")  # nothing else: a developer's settings must not reach a drill


def product_env(servers: Servers, database: str, directory: Path, **settings: str) -> dict[str, str]:
    """The whole environment of a process of the product; `settings` win."""
    return {
        **{name: os.environ[name] for name in INHERITED if name in os.environ},
        "DATABASE_URL": servers.database_url(database),
        "REDIS_URL": servers.index_url,
        "CELERY_BROKER_URL": servers.broker_url,
        "CARILLON_STATE_DIR": str(directory),
        "SECRET_KEY": "the-drills-sign-their-links-with-this-key",
        "STATIC_STORAGE": "django.contrib.staticfiles.storage.StaticFilesStorage",
        "PYTHONUNBUFFERED": "1",
        **settings,
    }


def manage(env: Mapping[str, str], *arguments: str, timeout: float = 180) -> str:
    """Run a management command and return what it printed. Raises RuntimeError with its last words."""
    done = subprocess.run(
        [PYTHON, "manage.py", *arguments], cwd=ROOT, env=dict(env), capture_output=True, text=True, timeout=timeout
    )
    if done.returncode:
        raise RuntimeError(f"manage.py {arguments[0]} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def furnish(servers: Servers, directory: Path, furnishing: Callable[[Mapping[str, str]], None]) -> None:
    """Make the template of a drill: the migrations, done once for all drills on these servers, and whatever every run
    of this one starts with."""
    if not servers.has_database(MIGRATED):
        servers.create_database(MIGRATED)
        owner = product_env(servers, MIGRATED, directory, DATABASE_OWNER_SESSION="1")
        manage(owner, "migrate", "--no-input", "--verbosity", "0")
    servers.drop_database(TEMPLATE)
    servers.create_database(TEMPLATE, template=MIGRATED)
    furnishing(product_env(servers, TEMPLATE, directory, DATABASE_OWNER_SESSION="1"))


class Stage:
    """A context manager; `settings` are the product's environment for this run (`SENDGRID_…` are set here). `esp` is
    where the stub listens. `forked`: the product's processes come from a nursery instead of by their commands."""

    def __init__(
        self,
        servers: Servers,
        directory: Path,
        name: str,
        *,
        plan: StubPlan,
        settings: Mapping[str, str],
        esp: str = "127.0.0.1",
        forked: bool = False,
    ) -> None:
        self.servers, self.directory, self.database = servers, directory, f"run_{name}"
        self.web_port = free_port()
        self.base_url = f"http://127.0.0.1:{self.web_port}"
        self.requests = directory / "stub" / "requests.jsonl"
        self.crew: Crew | None = None
        self._forked = forked
        self._nursery: Nursery | None = None
        self._plan, self._settings, self._esp = plan, settings, esp
        self._private_key, self._public_key = stub_webhooks.new_key()
        self._stub: subprocess.Popen[bytes] | None = None
        self._stub_port = 0

    @property
    def env(self) -> dict[str, str]:
        return product_env(
            self.servers,
            self.database,
            self.directory,
            EMAIL_PROVIDER="sendgrid",
            SENDGRID_API_KEY="stub",
            SENDGRID_API_URL=f"http://{self._esp}:{self._stub_port}",
            SENDGRID_WEBHOOK_PUBLIC_KEY=self._public_key,
            PUBLIC_URL=self.base_url,
            **self._settings,
        )

    def __enter__(self) -> Self:
        shutil.rmtree(self.directory, ignore_errors=True)  # what the last run left
        self.directory.mkdir(parents=True)
        self.servers.create_database(self.database, template=TEMPLATE)
        self.servers.flush_redis()
        self._start_stub()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.crew is not None:
            self.crew.stop()
        if self._nursery is not None:
            self._nursery.close()
        if self._stub is not None:
            self._stub.send_signal(signal.SIGTERM)
            self._stub.wait(10)
        if error is None:
            canaries.refuse_in_files(self.directory / "logs")
            self.servers.drop_database(self.database)

    def start(self, programs: Sequence[Program], **settings: str) -> Crew:
        """Start the product's processes and wait until all are ready. `settings`: of what was not known before."""
        self._settings = {**self._settings, **settings}
        logs = self.directory / "logs"
        if self._forked:
            self._nursery = Nursery(self.env, logs / "nursery.log", launch=spawn)
        self.crew = Crew(programs, self.env, logs, self._nursery)
        self.crew.start()
        return self.crew

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read from this run's database, again if a fault cut the connection."""
        deadline = time.monotonic() + 30
        while True:
            try:
                with self.servers.connect(self.database) as connection:
                    return connection.execute(query, parameters).fetchall()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def number(self, query: str, parameters: Sequence[Any] = ()) -> Any:
        """The one value of a query that has one."""
        return self.rows(query, parameters)[0][0]

    def progress(self) -> int:
        """Grows with every request that reaches the ESP."""
        return self.requests.stat().st_size if self.requests.exists() else 0

    def ask_stub(self, path: str = "/admin/summary") -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{self._esp}:{self._stub_port}{path}", timeout=10) as response:
            return json.load(response)

    def wait_until(self, condition: Callable[[], bool], patience: float, every: float = 0.25) -> bool:
        """Whether it became true in time."""
        deadline = time.monotonic() + patience
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(every)
        return True

    def _start_stub(self) -> None:
        home = self.requests.parent
        home.mkdir(parents=True, exist_ok=True)
        (home / "plan.json").write_text(json.dumps(self._plan.as_dict()))
        (home / "key.pem").write_text(self._private_key)
        (home / "webhook_url").write_text(f"{self.base_url}/webhooks/sendgrid/")
        with (home / "stub.log").open("ab") as log:
            command = [PYTHON, "-m", "tests.drills.rig.stub_esp", "--directory", str(home), "--host", self._esp]
            self._stub = spawn(command, stdout=log, stderr=log)
        if not self.wait_until((home / "port").exists, 20, every=0.05):
            raise TimeoutError(f"the stub ESP did not start:\n{(home / 'stub.log').read_text()[-2000:]}")
        self._stub_port = int((home / "port").read_text())
