"""Faults, seeded: which, whom and when. Each is written down with its instant and with how long its mending took."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from tests.drills.rig.processes import Crew, Process
from tests.drills.rig.record import Journal

KILLED = ("worker", "sender", "web", "dispatcher", "beat", "consumer")
PAUSED = ("worker", "sender", "web", "dispatcher", "consumer")
PATIENCE = 60.0  # a fault that is not mended by then is written down as never mended


class Infrastructure(Protocol):
    """What the nemesis may do to the services (see `services.Services`)."""

    def flush_redis(self) -> None: ...
    def restart_redis(self) -> None: ...
    def restart_postgres(self) -> None: ...
    def terminate_backends(self, share: float, dice: random.Random) -> int: ...
    def restart_broker(self) -> None: ...
    def broker_faults(self) -> Mapping[str, float]: ...


@dataclass(frozen=True)
class Fault:
    """One deed. `at` is CLOCK_MONOTONIC; `mended_after` seconds until the process was ready again, or, where it was a
    service, until the system got on with its work; None: never."""

    kind: str
    target: str
    at: float
    mended_after: float | None


class Nemesis:
    """Does a fault about every `every` seconds, until stopped. `weights` says how often each kind comes (if `counted`,
    exactly so often, in an order made by chance, and `is_through` then); `progress` is any number that grows while the
    system works.

    Kinds: web_child (one of the web's own processes), worker, sender, web, dispatcher, beat, consumer (the whole
    process, kill -9), pause (SIGSTOP for `pause` seconds), flush_redis, restart_redis, restart_postgres,
    terminate_backends; and restart_broker by itself, where the broker is a server of its own."""

    def __init__(
        self,
        *,
        crew: Crew,
        services: Infrastructure,
        weights: Mapping[str, float],
        every: float,
        seed: int,
        record: Path,
        progress: Callable[[], int],
        pause: float = 3.0,
        counted: bool = False,
    ) -> None:
        self._crew, self._services, self._progress = crew, services, progress
        self._every, self._pause = every, pause
        self._dice = random.Random(f"{seed}:nemesis")
        self._deeds: dict[str, Callable[[], tuple[str, Callable[[], bool]]]] = {
            **{kind: partial(self._kill, kind) for kind in KILLED},
            "web_child": self._kill_child,
            "pause": self._stop_and_continue,
            "flush_redis": lambda: self._upset(self._services.flush_redis, "redis"),
            "restart_redis": lambda: self._upset(self._services.restart_redis, "redis"),
            "restart_postgres": lambda: self._upset(self._services.restart_postgres, "postgres"),
            "restart_broker": lambda: self._upset(self._services.restart_broker, "broker"),
            "terminate_backends": self._terminate_backends,
        }
        weights = {**weights, **services.broker_faults()}
        if unknown := weights.keys() - self._deeds.keys():
            raise ValueError(f"no such fault: {sorted(unknown)[0]}")
        self._weights = dict(weights)
        self._deck = [kind for kind, times in weights.items() for _ in range(round(times))] if counted else None
        if self._deck:
            self._dice.shuffle(self._deck)
        self._record = Journal(record)
        self._stopping = threading.Event()
        self._all_done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nemesis", daemon=True)
        self._watchers: list[threading.Thread] = []
        self.failure: BaseException | None = None
        self._faults: list[Fault] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """No fault after this. Raises what stopped it before its time."""
        self._stopping.set()
        if self._thread.ident is not None:  # a calm run never lets it loose
            self._thread.join()
        if self.failure is not None:
            raise self.failure

    def collect(self) -> list[Fault]:
        """Once all work is done: the faults, oldest first. Where no more progress could be seen, being done counts."""
        self._all_done.set()
        for watcher in self._watchers:
            watcher.join()
        self._record.close()
        return sorted(self._faults, key=lambda fault: fault.at)

    def _run(self) -> None:
        try:
            while not self._stopping.wait(self._every * self._dice.uniform(0.5, 1.5)):
                if self.is_through:
                    break
                kind = self._deck[-1] if self._deck else self._by_weight()
                at = time.monotonic()
                target, is_mended = self._deeds[kind]()
                if target:
                    if self._deck:
                        self._deck.pop()
                    watcher = threading.Thread(target=self._watch, args=(kind, target, at, is_mended), daemon=True)
                    watcher.start()
                    self._watchers.append(watcher)
        except BaseException as error:
            self.failure = error

    @property
    def is_through(self) -> bool:
        return self._deck == []

    def _by_weight(self) -> str:
        return self._dice.choices(list(self._weights), list(self._weights.values()))[0]

    def _watch(self, kind: str, target: str, at: float, is_mended: Callable[[], bool]) -> None:
        while not (mended := is_mended()) and time.monotonic() < at + PATIENCE:
            time.sleep(0.02)
        fault = Fault(kind, target, at, time.monotonic() - at if mended else None)
        self._faults.append(fault)
        self._record.write(asdict(fault))

    def _one_of(self, *kinds: str) -> Process | None:
        living = [process for process in self._crew.of(*kinds) if process.is_ready()]
        return self._dice.choice(living) if living else None

    def _kill(self, kind: str) -> tuple[str, Callable[[], bool]]:
        process = self._one_of(kind)
        if process is None:
            return "", lambda: True
        starts = process.starts
        process.send(signal.SIGKILL)
        return process.name, lambda: process.starts > starts and process.is_ready()

    def _kill_child(self) -> tuple[str, Callable[[], bool]]:
        process = self._one_of("web")
        children = process.children() if process else []
        if process is None or not children:
            return "", lambda: True
        victim = self._dice.choice(children)
        process.kill_child(victim)

        def is_replaced() -> bool:
            now = process.children()
            return victim not in now and len(now) >= len(children)

        return f"{process.name} (child)", is_replaced

    def _stop_and_continue(self) -> tuple[str, Callable[[], bool]]:
        process = self._one_of(*PAUSED)
        if process is None:
            return "", lambda: True
        process.send(signal.SIGSTOP)
        until = time.monotonic() + self._pause

        def is_over() -> bool:
            if time.monotonic() < until:
                return False
            process.send(signal.SIGCONT)
            return True

        return process.name, is_over

    def _upset(self, deed: Callable[[], None], target: str) -> tuple[str, Callable[[], bool]]:
        deed()
        before = self._progress()
        return target, lambda: self._progress() > before or self._all_done.is_set()

    def _terminate_backends(self) -> tuple[str, Callable[[], bool]]:
        before = self._progress()
        ended = self._services.terminate_backends(0.5, self._dice)
        return f"{ended} backends", lambda: self._progress() > before or self._all_done.is_set()


def by_kind(faults: list[Fault]) -> dict[str, dict[str, Any]]:
    """How many of each, and how long the mending took at the median and at most, in seconds."""
    table: dict[str, dict[str, Any]] = {}
    for kind in sorted({fault.kind for fault in faults}):
        of_kind = [fault for fault in faults if fault.kind == kind]
        took = sorted(fault.mended_after for fault in of_kind if fault.mended_after is not None)
        table[kind] = {
            "faults": len(of_kind),
            "mended_after_median": round(took[len(took) // 2], 2) if took else None,
            "mended_after_most": round(took[-1], 2) if took else None,
            "never_mended": len(of_kind) - len(took),
        }
    return table


def at_points(kills: int) -> dict[str, dict[str, Any]]:
    """The row of those who were killed where the plan of pause points said so; each was started again at once."""
    row = {"faults": kills, "mended_after_median": None, "mended_after_most": None, "never_mended": 0}
    return {"kill at a pause point": row} if kills else {}
