"""PostgreSQL and Redis for a machine that has none: started where the environment names no server of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from config import env, postgres, valkey
from config.ports import NoPort
from config.postgres import NoPostgres
from config.processes import Process, stop
from config.state import State
from config.valkey import NoRedis

FAILURES = (NoPostgres, NoRedis, NoPort)


@dataclass(frozen=True)
class Embedded:
    """What was started, in that order, and the settings that lead there."""

    processes: tuple[Process, ...]
    settings: dict[str, str]


def start(state: State, *, durable: bool = True, say: Callable[[str], None]) -> Embedded:
    """Start what the environment does not name. The caller holds the folder's lock, tends the processes and stops them,
    the last one first. Not `durable` is for tests: quick, and without a care for power cuts.

    Raises one of FAILURES, with nothing left running."""
    processes: list[Process] = []
    settings: dict[str, str] = {}
    try:
        if not env.text("DATABASE_URL"):
            for name in [name for name in os.environ if name.startswith("PG")]:
                del os.environ[name]  # PGSSLMODE, PGOPTIONS and the like are meant for another server
            process, settings["DATABASE_URL"] = postgres.start(state, durable=durable, say=say)
            processes.append(process)
        if not env.text("REDIS_URL"):
            process, url = valkey.start(state, durable=durable, say=say)
            processes.append(process)
            settings["REDIS_URL"] = f"{url}/1"
            if not env.text("CELERY_BROKER_URL"):
                settings["CELERY_BROKER_URL"] = f"{url}/0"
    except BaseException:
        for process in reversed(processes):
            stop([process])
        raise
    return Embedded(tuple(processes), settings)
