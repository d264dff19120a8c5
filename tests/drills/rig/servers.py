"""A PostgreSQL (fsync on), a Redis and, where it is wanted as the broker, a RabbitMQ of the rig's own, which may crash
and start again on the same data and port."""

from __future__ import annotations

import random
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
import redis

from config import postgres, valkey
from config.processes import Process, stop
from config.state import State
from tests.drills.rig.processes import in_maker_thread
from tests.drills.rig.rabbitmq import Rabbit

BROKERS = ("redis", "rabbitmq")
OWN = "rig"  # the application name of the rig's own connections, which are not to be cut


def free_port() -> int:
    """A port that nobody listens on, below those that outgoing connections take."""
    for _ in range(200):
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port between 20000 and 32000")


class Servers:
    """A context manager. `directory` gets the data and the logs, and what lay there is removed first. `broker`: who
    carries the doorbells, one of BROKERS."""

    def __init__(
        self, directory: Path, *, say: Callable[[str], None] = lambda line: None, broker: str = BROKERS[0]
    ) -> None:
        self._home, self._say, self.broker = directory, say, broker
        self._rabbit: Rabbit | None = None
        self._postgres: Process | None = None
        self._redis: Process | None = None
        self._postgres_url = self._redis_url = ""

    def __enter__(self) -> Self:
        self._remove()
        in_maker_thread(self._start)
        if self.broker == "rabbitmq":
            self._start_rabbit()
        return self

    def _start(self) -> None:
        state = State(self._home)
        state.lock()
        self._postgres, url = postgres.start(state, durable=True, say=self._say)
        self._postgres_url = url.rpartition("/")[0]
        self._redis, self._redis_url = valkey.start(state, durable=False, say=self._say)

    def _start_rabbit(self) -> None:
        home = self._home / "rabbitmq"
        home.mkdir()
        self._rabbit = Rabbit(home)
        self._rabbit.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._rabbit is not None:
            self._rabbit.end()
        stop([server for server in (self._redis, self._postgres) if server is not None])
        self._remove_cluster()

    def _remove(self) -> None:
        self._remove_cluster()
        shutil.rmtree(self._home, ignore_errors=True)

    def _remove_cluster(self) -> None:
        cluster = self._home / "postgres"
        if cluster.is_symlink():  # as root in a folder that others may not enter, the data lies elsewhere
            shutil.rmtree(cluster.readlink(), ignore_errors=True)
            cluster.unlink()
        shutil.rmtree(cluster, ignore_errors=True)

    def roots(self) -> list[int]:
        """The two processes under which everything of the services runs."""
        living = [server.child for server in (self._postgres, self._redis) if server is not None]
        return [child.pid for child in living if child is not None]

    # -- PostgreSQL ----------------------------------------------------------------------------------------------------
    def database_url(self, name: str) -> str:
        return f"{self._postgres_url}/{name}"

    def connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        """For the rig itself, in autocommit mode."""
        return psycopg.connect(self.database_url(database), autocommit=True, application_name=OWN, connect_timeout=5)

    def create_database(self, name: str, *, template: str = "template1") -> None:
        with self.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')

    def has_database(self, name: str) -> bool:
        with self.connect("postgres") as connection:
            return bool(connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchall())

    def drop_database(self, name: str) -> None:
        with self.connect("postgres") as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def give_memory(self, megabytes: int) -> None:
        """For PostgreSQL's own cache: what it begins with is meant for a laptop. Restarts it."""
        assert self._postgres is not None
        self._postgres.command += ["-c", f"shared_buffers={megabytes}MB"]  # the last one counts
        self.restart_postgres()

    def restart_postgres(self) -> None:
        """As a crash: every connection is cut at once, and the log of changes is replayed."""
        server = self._postgres
        assert server is not None and server.child is not None
        server.child.send_signal(signal.SIGQUIT)
        server.child.wait(30)
        in_maker_thread(server.start)
        if not postgres.wait_until_it_answers(server, self._postgres_url):
            raise RuntimeError(f"PostgreSQL did not come back:\n{server.tail()}")

    def terminate_backends(self, share: float, dice: random.Random) -> int:
        """Cut that share of the product's connections. Returns how many."""
        query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> %s"
        try:
            with self.connect("postgres") as connection:
                pids = [row[0] for row in connection.execute(query, [OWN]).fetchall()]
                victims = [pid for pid in pids if dice.random() < share]
                connection.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", [victims])
        except psycopg.OperationalError:
            return 0  # it is just starting again: there is nothing to cut
        return len(victims)

    def version(self) -> str:
        with self.connect("postgres") as connection:
            return str(connection.execute("SHOW server_version").fetchall()[0][0])

    # -- Redis ---------------------------------------------------------------------------------------------------------
    @property
    def index_url(self) -> str:
        return f"{self._redis_url}/1"

    def flush_redis(self) -> None:
        redis.Redis.from_url(self.index_url, socket_timeout=5).flushall()

    def restart_redis(self) -> None:
        """kill -9, and up again with nothing in it."""
        with self.without_redis():
            pass

    @contextmanager
    def without_redis(self) -> Iterator[None]:
        """kill -9, and up again with nothing in it in the end."""
        server = self._redis
        assert server is not None
        server.kill()
        yield
        in_maker_thread(server.start)
        port, password = self._redis_url.rpartition(":")[2], self._redis_url.rpartition("@")[0].rpartition(":")[2]
        if not valkey.wait_until_it_answers(server, int(port), password):
            raise RuntimeError(f"Redis did not come back:\n{server.tail()}")

    # -- the broker ----------------------------------------------------------------------------------------------------
    @property
    def broker_url(self) -> str:
        return self._rabbit.url if self._rabbit is not None else f"{self._redis_url}/0"

    def versions(self) -> dict[str, str]:
        """What the drill ran on; the broker's where it is a server of its own."""
        return {
            "postgresql": self.version(),
            **({"rabbitmq": self._rabbit.version()} if self._rabbit is not None else {}),
        }

    def broker_faults(self) -> dict[str, float]:
        """What more may befall an installation, and how often, if its broker is a server of its own."""
        return {"restart_broker": 1.0} if self._rabbit is not None else {}

    def restart_broker(self) -> None:
        """kill -9, and up again with what was durable."""
        assert self._rabbit is not None
        self._rabbit.kill()
        self._rabbit.start()
