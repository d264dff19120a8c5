"""The folder that an installation keeps its state in: `var/`, unless CARILLON_STATE_DIR names another."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path


class AlreadyRunning(Exception):
    """Another process holds the folder."""

    def __init__(self, pid: str) -> None:
        super().__init__(f"already running, pid {pid}")
        self.pid = pid


class State:
    """`run/` holds what belongs to a running installation; what survives stands beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.run = self.path / "run"
        self.logs = self.run / "logs"
        self.services = self.run / "services.json"
        self.login = self.run / "login"  # the demonstration's, for the screen
        self._lock: int | None = None

    def lock(self) -> None:
        """Hold the folder until this process ends, however it ends. Raises AlreadyRunning."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.run.mkdir(mode=0o700, exist_ok=True)
        self.logs.mkdir(exist_ok=True)
        descriptor = os.open(self.run / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(descriptor, 32).decode().strip()
            os.close(descriptor)
            raise AlreadyRunning(pid) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._lock = descriptor
        self.withdraw()  # what a killed process left there would now seem to be ours

    def secret(self, name: str) -> str:
        """A random secret that is made once and kept. Safe in a URL."""
        path = self.run / name
        try:
            kept = path.read_text().strip()
        except FileNotFoundError:
            kept = ""
        if not kept:  # or the power went between making the file and writing it
            kept = secrets.token_urlsafe(48)
            write_private(path, kept)
        return kept

    def publish(self, services: Mapping[str, str]) -> None:
        """Let commands of the same folder find what runs (config/env.py reads it)."""
        write_private(self.services, json.dumps(dict(services), indent=1))

    def withdraw(self) -> None:
        """Nothing runs any more."""
        self.services.unlink(missing_ok=True)


def write_private(path: Path, content: str) -> None:
    """A file that only its owner reads, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, 0o600)
        file.write(content)
    draft.replace(path)
