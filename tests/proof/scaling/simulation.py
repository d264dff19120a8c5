"""Batches of events that go through the stages of an installation, seeded: they come at random, and each stage takes
time at the hosts and then at the one database, where they wait in line. What arithmetic cannot say is how long."""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.proof.scaling.figures import Figure
from tests.proof.scaling.plant import DATABASE, HOSTS, Plant

BATCH = 100  # events that travel together


@dataclass(frozen=True)
class Visit:
    """`mean`: seconds of service, exponentially distributed; 0: none."""

    where: str
    mean: float


@dataclass(frozen=True)
class Flow:
    """What a run saw, of `seconds`. `inside`: who was still there when it was broken off. `times`: from arrival to the
    end, of those who ended; `waits`: in line, all visits of a job together. `busy`: the share of the processors in use;
    `visits`: how many each had."""

    arrived: int
    ended: int
    inside: int
    seconds: float
    times: Sequence[float]
    waits: Sequence[float]
    busy: Mapping[str, float]
    visits: Mapping[str, int]

    @property
    def rate(self) -> float:
        """Jobs that ended a second."""
        return self.ended / self.seconds

    def percentile(self, share: float) -> float:
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass
class _Job:
    came_at: float
    visit: int = 0
    queued_at: float = 0.0
    waited: float = 0.0


class _Pool:
    """Processors that take whoever came first."""

    def __init__(self, servers: int) -> None:
        self.servers, self.free = servers, servers
        self.line: deque[_Job] = deque()
        self.worked = 0.0


def path(figures: Sequence[Figure]) -> list[Visit]:
    """The visits of a batch: each stage at the hosts, then at the database."""
    found = []
    for each in figures:
        found.append(Visit(HOSTS, BATCH * each.per_event * each.hosts_us / 1e6))
        found.append(Visit(DATABASE, BATCH * each.per_event * each.servers_us / 1e6))
    return found


def installation(figures: Sequence[Figure], plant: Plant, *, events_per_second: float, jobs: int, seed: int) -> Flow:
    return play(plant.servers(), path(figures), rate=events_per_second / BATCH, jobs=jobs, seed=seed)


def play(
    servers: Mapping[str, int], visits: Sequence[Visit], *, rate: float, jobs: int, seed: int, until: float = math.inf
) -> Flow:
    """`jobs` come at `rate` a second, at random. Ends when all have ended, or after `until` seconds."""
    dice = random.Random(seed)
    pools = {where: _Pool(count) for where, count in servers.items()}
    happenings: list[tuple[float, int, _Job | None]] = [(dice.expovariate(rate), 0, None)]
    number = arrived = 0
    now = 0.0
    times: list[float] = []
    waits: list[float] = []
    seen: Counter[str] = Counter()

    def serve(pool: _Pool, job: _Job) -> None:
        nonlocal number
        pool.free -= 1
        job.waited += now - job.queued_at
        mean = visits[job.visit].mean
        service = dice.expovariate(1 / mean) if mean else 0.0
        pool.worked += service
        number += 1
        heapq.heappush(happenings, (now + service, number, job))

    def come(job: _Job) -> None:
        pool = pools[visits[job.visit].where]
        seen[visits[job.visit].where] += 1
        job.queued_at = now
        if pool.free:
            serve(pool, job)
        else:
            pool.line.append(job)

    while happenings and happenings[0][0] <= until:
        now, _, job = heapq.heappop(happenings)
        if job is None:
            arrived += 1
            come(_Job(came_at=now))
            if arrived < jobs:
                number += 1
                heapq.heappush(happenings, (now + dice.expovariate(rate), number, None))
            continue
        pool = pools[visits[job.visit].where]
        pool.free += 1
        if pool.line:
            serve(pool, pool.line.popleft())
        job.visit += 1
        if job.visit < len(visits):
            come(job)
            continue
        times.append(now - job.came_at)
        waits.append(job.waited)
    inside = sum(len(pool.line) + pool.servers - pool.free for pool in pools.values())
    busy = {where: pool.worked / pool.servers / now for where, pool in pools.items()}
    return Flow(arrived, len(times), inside, now, times, waits, busy, seen)
