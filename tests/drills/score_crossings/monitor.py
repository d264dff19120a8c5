"""Looks all the time how long the oldest check has been due: what may be late depends on nothing else."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from tests.drills.rig.stage import Stage

EVERY = 0.1  # seconds
# The database's clock; how long the oldest check has been due; since when new rules wait for somebody to be asked for;
# and whether a check of the bulk lane is due. A check that is armed for later is none that is late.
LOOK = """
SELECT (EXTRACT(epoch FROM now()) * 1000000)::bigint,
       COALESCE((SELECT EXTRACT(epoch FROM now() - min(check_at)) FROM score_checks
                  WHERE check_at <= now()), 0)::float8,
       COALESCE((SELECT EXTRACT(epoch FROM now() - min(activated_at)) FROM scoring_rulesets
                  WHERE state = 'active' AND recheck_after IS NOT NULL), 0)::float8,
       EXISTS (SELECT FROM score_checks WHERE lane = 'bulk' AND check_at <= now())
"""


@dataclass(frozen=True)
class Sample:
    """`at` in microseconds since 1970, the others in seconds."""

    at: int
    oldest_due: float
    asking_since: float
    bulk_is_due: bool


class Monitor:
    """A thread that looks until stopped. `failure` is what stopped it before its time."""

    def __init__(self, scene: Stage) -> None:
        self._scene = scene
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        self.samples: list[Sample] = []
        self.failure: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def longest_outage(self) -> float:
        """How long at most somebody who was due waited, in seconds: the longest age that was seen, and the time between
        two looks."""
        gaps = [(later.at - sooner.at) / 1e6 for sooner, later in zip(self.samples, self.samples[1:], strict=False)]
        return max((max(each.oldest_due, each.asking_since) for each in self.samples), default=0.0) + max(
            gaps, default=0.0
        )

    def recheck_after(self, activated_at: int) -> tuple[int, int]:
        """From an activation until everybody had been asked for and nothing was left to do in the bulk lane."""
        ends = (
            each.at
            for each in self.samples
            if each.at > activated_at and not each.asking_since and not each.bulk_is_due
        )
        return activated_at, next(ends, self.samples[-1].at)

    def _run(self) -> None:
        try:
            with self._scene.servers.connect(self._scene.database) as connection:
                while not self._stopping.is_set():
                    self.samples += [Sample(*row) for row in connection.execute(LOOK).fetchall()]
                    time.sleep(EVERY)
        except BaseException as error:
            self.failure = error
