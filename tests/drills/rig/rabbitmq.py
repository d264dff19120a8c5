"""A RabbitMQ of the rig's own, which may crash: any account may run it, and nothing of it stays."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from config import ports
from tests.drills.rig.processes import spawn

BINARIES = Path(os.environ.get("RABBITMQ_BIN", "/usr/lib/rabbitmq/bin"))
PATIENCE_SECONDS = 90.0


class NoRabbit(Exception):
    """There is none on this machine; the message says how to get one."""


class Rabbit:
    """`url` for Celery. `start` and `kill` as often as wanted; what is durable survives on the disk. To make one raises
    NoRabbit."""

    def __init__(self, folder: Path) -> None:
        self.server = BINARIES / "rabbitmq-server"
        if not self.server.exists() or shutil.which("epmd") is None:
            raise NoRabbit("there is no RabbitMQ here (Debian: apt-get install rabbitmq-server; or set RABBITMQ_BIN)")
        own = random.randrange(800)  # two that begin at once must not both find the first port free
        with (
            ports.hold_free(22_000 + own) as amqp,
            ports.hold_free(23_000 + own) as names,
            ports.hold_free(24_000 + own) as links,
        ):
            self.port, epmd, link = (holder.getsockname()[1] for holder in (amqp, names, links))
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self.log = folder / "rabbitmq.out"
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),  # where Erlang keeps its cookie
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_BYTES": "0",  # it is killed on purpose
            "RABBITMQ_NODENAME": f"carillon{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(link),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_SCHEMA_DIR": str(folder / "schema"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RUNNING_UNDER_SYSTEMD": "1",  # else a shell stands between the server and whoever it should die with
        }
        # else the server starts a name service that outlives it
        self._names = spawn(
            ["epmd", "-port", str(epmd), "-address", "127.0.0.1"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environment,
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it answers."""
        with self.log.open("ab") as output:
            self._process = spawn([str(self.server)], stdout=output, stderr=output, env=self._environment)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"RabbitMQ did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """kill -9, of all that belongs to it."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def end(self) -> None:
        self.kill()
        self._names.kill()
        self._names.wait()

    def version(self) -> str:
        """As its log tells it."""
        said = "".join(path.read_text(errors="replace") for path in (self.log.parent / "logs").glob("*.log"))
        return said.partition("Starting RabbitMQ ")[2].partition(" ")[0] or "unknown"

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as link:
                link.settimeout(2)
                link.sendall(b"AMQP\x00\x00\x09\x01")
                return link.recv(1) == b"\x01"  # it begins to talk
        except OSError:
            return False
