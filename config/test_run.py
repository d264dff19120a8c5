"""`bin/test`: PostgreSQL and Redis of its own under var/test, then pytest with the arguments and the exit status passed
on. The servers keep nothing safe from a power cut, which makes them quick."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from config import embedded, env
from config.processes import Fleet, Process, stop
from config.screen import Screen
from config.state import AlreadyRunning, State

GRACE_SECONDS = 30.0  # for pytest to take down what it has set up
ADDRESSES = {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"}


def at_once(arguments: Sequence[str]) -> list[str]:
    """How many processes share the whole suite: one more than there are processors, since many tests wait for others.
    Each has a database of its own; a file stays with one of them. A part of the suite is run by one process."""
    names_a_part = any(Path(each.partition("::")[0]).exists() for each in arguments)
    if names_a_part or any(each.startswith(("-n", "--pdb")) for each in arguments):
        return []
    return ["-n", str(len(os.sched_getaffinity(0)) + 1), "--dist", "loadfile"]


def documented_settings() -> list[str]:
    """The names that .env.example lists (a test keeps it complete)."""
    return re.findall(r"^#?([A-Z][A-Z0-9_]*)=", (env.BASE_DIR / ".env.example").read_text(encoding="utf-8"), re.M)


class Tests:
    """One run. `signals` fills while it goes on."""

    def __init__(self, state: State, screen: Screen) -> None:
        self.state, self.screen = state, screen
        self.signals: list[int] = []

    def run(self, arguments: Sequence[str]) -> int:
        """pytest's exit status, or 1 when the servers did not start."""
        fleet = Fleet(self.screen.say)
        try:
            servers = embedded.start(self.state, durable=False, say=self.screen.say)
            for process in servers.processes:
                fleet.adopt(process)
            return self._pytest(arguments, servers.settings)
        except (env.BadSetting, *embedded.FAILURES) as error:
            self.screen.fail(str(error))
            return 1
        finally:
            fleet.stop()

    def _pytest(self, arguments: Sequence[str], settings: dict[str, str]) -> int:
        static_files = self.state.path / "static"
        static_files.mkdir(exist_ok=True)  # WhiteNoise warns of a folder that is not there
        own = {
            "CARILLON_STATE_DIR": str(self.state.path),
            "STATIC_ROOT": str(static_files),
            "STATIC_STORAGE": "django.contrib.staticfiles.storage.StaticFilesStorage",
        }
        developers = set(documented_settings()) - ADDRESSES  # a key or a speed in somebody's shell is not for tests
        environment = {
            name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in developers
        }
        tests = Process(
            "pytest",
            [sys.executable, "-m", "pytest", *at_once(arguments), *arguments],
            log=None,
            environment=environment | own | settings,
            directory=env.BASE_DIR,
            stop_signal=signal.SIGINT,
            grace=GRACE_SECONDS,
            foreground=True,
        )
        tests.start()
        while tests.alive:
            time.sleep(0.05)
            if self.signals:
                self._interrupt(tests)
        return tests.status

    def _interrupt(self, tests: Process) -> None:
        """Ctrl-C at a terminal has reached pytest as well; any other signal was meant for us alone."""
        if self.signals[-1] == signal.SIGINT and sys.stdin.isatty():
            deadline = time.monotonic() + GRACE_SECONDS
            while tests.alive and time.monotonic() < deadline:
                time.sleep(0.05)
        stop([tests])


def main(arguments: Sequence[str]) -> int:
    screen = Screen()
    state = State(env.state_folder() / "test")
    try:
        state.lock()
    except AlreadyRunning as error:
        screen.fail(f"bin/test already runs in this folder (pid {error.pid}).")
        return 3
    except PermissionError as error:
        screen.fail(f"{error.filename} belongs to another account: was bin/test run here as root?")
        return 1
    run = Tests(state, screen)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: run.signals.append(number))
    return run.run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
