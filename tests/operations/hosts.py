"""Hosts of their own on one machine: each a network namespace of Linux with its own address and its own loopback, on a
bridge with the servers. Its link can be pulled and put in again. They share the clock, the processors and the disk."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis

from config import postgres
from tests.drills.rig.processes import Crew, beat, dispatcher, spawn, web, worker
from tests.drills.rig.servers import Servers
from tests.nursery import Nursery

WEB_PORT = 8000
NETWORK = "198.18"  # 198.18.0.0/15 is kept for trying networks: it is nobody's


class NoHosts(Exception):
    """This machine makes none; the message says why."""


class Host:
    """`address` is its own; whatever runs here reaches the servers at the bridge's."""

    def __init__(self, wire: Wire, number: int) -> None:
        self.number, self.address = number, f"{wire.network}.{number + 1}"
        self._space, self._link = f"{wire.name}-{number}", f"{wire.name}v{number}"
        self.crew: Crew | None = None
        self._nursery: Nursery | None = None
        _ip("netns", "add", self._space)
        try:
            self._plug_in(wire, f"{wire.name}i{number}")
        except subprocess.CalledProcessError:
            self.end()
            raise

    def _plug_in(self, wire: Wire, inner: str) -> None:
        _ip("link", "add", self._link, "type", "veth", "peer", "name", inner)
        _ip("link", "set", inner, "netns", self._space)
        _ip("link", "set", self._link, "master", wire.name, "up")
        for command in (
            ["link", "set", "lo", "up"],
            ["address", "add", f"{self.address}/24", "dev", inner],
            ["link", "set", inner, "up"],
        ):
            _ip("-n", self._space, *command)

    @property
    def url(self) -> str:
        return f"http://{self.address}:{WEB_PORT}"

    def start(self, env: Mapping[str, str], state: Path) -> None:
        """Web, dispatcher, beat, and workers that lead people on, send and tidy up; returns when all are ready."""
        own = {**env, "CARILLON_STATE_DIR": str(state), "PUBLIC_URL": self.url}
        programs = [
            web(WEB_PORT, self.address),
            dispatcher(self.number),
            beat(),
            *(worker(lane, self.number) for lane in ("urgent", "delivery_urgent", "housekeeping")),
        ]
        self._nursery = Nursery(own, state / "logs" / "nursery.log", launch=self._launch)
        self.crew = Crew(programs, own, state / "logs", nursery=self._nursery)
        self.crew.start()

    def cut(self) -> None:
        """Pull the plug: what is on its way is lost, and nobody is told."""
        _ip("link", "set", self._link, "down")

    def mend(self) -> None:
        _ip("link", "set", self._link, "up")

    def stop(self) -> None:
        if self.crew is not None:
            self.crew.stop()
        if self._nursery is not None:
            self._nursery.close()

    def end(self) -> None:
        _ip("netns", "delete", self._space)  # and both ends of its link

    def _launch(self, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Here; whatever it forks is here as well."""
        return spawn(["ip", "netns", "exec", self._space, *command], **options)


class Wire:
    """The bridge; `address` is that of the servers on it."""

    def __init__(self) -> None:
        self.name = f"c{os.getpid() % 100_000}{secrets.token_hex(1)}"  # with what is put behind it at most 15 letters
        self.network = f"{NETWORK}.{secrets.randbelow(254) + 1}"
        self.address = f"{self.network}.1"
        _ip("link", "add", self.name, "type", "bridge")
        try:
            _ip("address", "add", f"{self.address}/24", "dev", self.name)
            _ip("link", "set", self.name, "up")
        except subprocess.CalledProcessError:
            self.end()
            raise

    def end(self) -> None:
        _ip("link", "delete", self.name)

    def env(self, env: Mapping[str, str], **limits: str) -> dict[str, str]:
        """The same servers, as hosts on this wire reach them. `limits` are of PostgreSQL's sessions."""
        found = {name: value.replace("@127.0.0.1:", f"@{self.address}:") for name, value in env.items()}
        options = quote(" ".join(f"-c {name}={value}" for name, value in limits.items()))
        return {**found, "DATABASE_URL": f"{found['DATABASE_URL']}?tcp_user_timeout=3000&options={options}"}


@contextmanager
def two_hosts() -> Iterator[tuple[Wire, Host, Host]]:
    """Raises NoHosts."""
    if shutil.which("ip") is None:
        raise NoHosts("there is no `ip` here (Debian: apt-get install iproute2)")
    made: list[Any] = []
    try:
        try:
            made.append(wire := Wire())
            made.append(one := Host(wire, 1))
            made.append(other := Host(wire, 2))
        except subprocess.CalledProcessError as error:
            raise NoHosts(f"no network namespaces here: {error.stderr.strip()}") from error
        yield wire, one, other
    finally:
        for each in reversed(made):
            each.end()


@contextmanager
def listening(wire: Wire, directory: Path) -> Iterator[Servers]:
    """PostgreSQL and Redis that answer on the wire as well as on the loopback. Neither is ever killed, so nothing waits
    for the disk."""
    usual = dict(postgres.SETTINGS)
    addresses = f"{usual['listen_addresses']},{wire.address}"
    postgres.SETTINGS.update(postgres.IN_TESTS | {"listen_addresses": addresses})
    try:
        with Servers(directory) as servers:
            with servers.connect("postgres") as session:
                (rules,) = session.execute("SHOW hba_file").fetchall()[0]
                with Path(rules).open("a", encoding="utf-8") as file:
                    file.write(f"host all all {wire.network}.0/24 scram-sha-256\n")
                session.execute("SELECT pg_reload_conf()")
            redis.Redis.from_url(servers.index_url).config_set("bind", f"127.0.0.1 {wire.address}")
            yield servers
    finally:
        postgres.SETTINGS.clear()
        postgres.SETTINGS.update(usual)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
