"""What an installation consists of, beside its servers: one process for each lane, the dispatcher, the beat, the
sandbox provider and the reader of Kafka where they are used, and the web."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from config import env
from config.lanes import DISPATCHER, KAFKA, LANES, heartbeat_of, queues_of
from config.processes import Process
from config.state import State

CELERY = ("-m", "celery", "--quiet", "-A", "config")
WORKER = ("-P", "solo", "--without-gossip", "--without-mingle", "--without-heartbeat")


class Programs:
    """Makes the processes of one installation; `environment` is all of theirs, `make` their class."""

    def __init__(self, state: State, environment: Mapping[str, str], make: Callable[..., Process] = Process) -> None:
        self.state = state
        self.environment = dict(environment)
        self._make = make

    def static_files(self) -> Process:
        """Collects what browsers load. Needs no database."""
        return self._python("collectstatic", "manage.py", "collectstatic", "--no-input", "--verbosity", "0")

    def prepare(self) -> Process:
        """Brings the database up to date, as its owner: without the limits that hold for everybody else."""
        process = self._python("prepare", "manage.py", "prepare")
        process.environment = {**process.environment, "DATABASE_OWNER_SESSION": "1"}
        return process

    def workers(self) -> list[Process]:
        """A worker on its way down finishes what it is at; killing it loses nothing but time."""
        return [
            self._python(
                lane,
                *CELERY,
                "worker",
                "-Q",
                queues_of(lane),
                "-n",
                f"{lane}@%h",
                *WORKER,
                heartbeat=heartbeat_of(lane),
                grace=6,
            )
            for lane in LANES
        ]

    def ringers(self) -> list[Process]:
        """Those that ring without being asked: for waits that end, for what is done every few seconds, the sandbox
        provider, whose people open and click, and the reader of Kafka."""
        processes = [
            self._python("dispatcher", "manage.py", "run_dispatcher", "--skip-checks", heartbeat=DISPATCHER, grace=6),
            # an empty --pidfile: a stale one would keep the beat from starting
            self._python("beat", *CELERY, "beat", "--pidfile=", "--loglevel", "WARNING", grace=6),
        ]
        if env.text("EMAIL_PROVIDER", "sandbox") == "sandbox":
            processes.append(self._python("sandbox", "manage.py", "run_sandbox", "--skip-checks", grace=6))
        if env.text("KAFKA_BOOTSTRAP_SERVERS"):
            processes.append(
                self._python("kafka", "manage.py", "consume_events", "--skip-checks", heartbeat=KAFKA, grace=6)
            )
        return processes

    def web(self, descriptor: int) -> Process:
        """Serves on a socket that is bound already, so that requests wait while it is started again."""
        process = self._python(
            "web", "-m", "gunicorn", "--config", "python:config.web", "--bind", f"fd://{descriptor}", "config.wsgi",
            grace=8,
        )  # fmt: skip
        process.descriptors = (descriptor,)
        return process

    def demonstration(self, speed: float, *, everything: bool, figures: bool) -> Process:
        """The demonstration, on the caller's screen."""
        arguments = ["--speed", f"{speed:.12g}", *["--all"] * everything, *["--exit-figures"] * figures]
        process = self._python("demo", "manage.py", "demo", *arguments)
        process.log = None
        return process

    def _python(self, name: str, *arguments: str, heartbeat: str = "", grace: float = 10) -> Process:
        return self._make(
            name,
            [sys.executable, *arguments],
            log=self.state.logs / f"{name}.log",
            environment=self.environment,
            directory=env.BASE_DIR,
            heartbeat=heartbeat,
            grace=grace,
        )
