"""Rounds, medians, claims, and the JSON that they are published in.

The machine may be shared and noisy, so contenders take turns (A B A B …), each figure is the median over the rounds,
and ratios are made from processor time per item, which a neighbour disturbs far less than wall time."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.drills.rig import processor


@dataclass(frozen=True)
class Round:
    """One turn of one contender. `seconds` is wall time, `cpu` the processor seconds of everything that took part, and
    `workers_cpu` those of them that are not PostgreSQL's and Redis's."""

    items: int
    seconds: float
    cpu: float
    rss_mb: float
    workers_cpu: float = 0.0


@dataclass(frozen=True)
class Row:
    what: str
    items: int
    per_second: float
    cpu_us: float
    rss_mb: float


@dataclass(frozen=True)
class Latency:
    """How long requests took that were waited for, over all rounds."""

    what: str
    requests: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Claim:
    name: str
    value: float
    goal: float
    holds: bool


@dataclass(frozen=True)
class Contender:
    """`prepare` makes the ground ready, unmeasured; `run` does the work, once, and returns how many items it did;
    `settle` checks the outcome and clears up, unmeasured. `roots` are the processes to account for (trees: workers,
    postmaster, Redis), `workers` those whose memory is shown."""

    what: str
    prepare: Callable[[], None]
    run: Callable[[], int]
    settle: Callable[[], None]
    roots: Callable[[], Iterable[int]]
    workers: Callable[[], Iterable[int]]


def measure(contender: Contender) -> Round:
    contender.prepare()
    roots, workers = list(contender.roots()), list(contender.workers())
    cpu, workers_cpu, started = processor.cpu_seconds(roots), processor.cpu_seconds(workers), time.monotonic()
    items = contender.run()
    seconds = time.monotonic() - started
    spent, of_workers = processor.cpu_seconds(roots) - cpu, processor.cpu_seconds(workers) - workers_cpu
    rss_mb = processor.memory_mb(contender.workers())
    contender.settle()
    return Round(items=items, seconds=seconds, cpu=spent, rss_mb=rss_mb, workers_cpu=of_workers)


def interleave(
    contenders: Sequence[Contender], rounds: int, say: Callable[[str], None] = print
) -> dict[str, list[Round]]:
    """`rounds` turns of each, never one contender's turns in a row."""
    results: dict[str, list[Round]] = {contender.what: [] for contender in contenders}
    for number in range(1, rounds + 1):
        for contender in contenders:
            done = measure(contender)
            results[contender.what].append(done)
            rate, cost = done.items / done.seconds, 1e6 * done.cpu / done.items
            say(f"round {number}/{rounds}  {contender.what}: {rate:,.0f}/s, {cost:,.1f} us CPU each")
    return results


def median_row(what: str, rounds: Sequence[Round]) -> Row:
    return Row(
        what=what,
        items=int(statistics.median(one.items for one in rounds)),
        per_second=round(statistics.median(one.items / one.seconds for one in rounds), 1),
        cpu_us=round(statistics.median(1e6 * one.cpu / one.items for one in rounds), 2),
        rss_mb=round(max(one.rss_mb for one in rounds), 1),
    )


def latency(what: str, seconds: Sequence[float]) -> Latency:
    """Of all requests of all rounds, at least one; by the nearest rank."""
    ordered = sorted(seconds)
    p50, p99 = (1000 * ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.99))
    return Latency(what, len(ordered), round(p50, 2), round(p99, 2))


def cpu_ratio(ours: Row, theirs: Row) -> float:
    """How many times our processor time per item theirs is."""
    return theirs.cpu_us / ours.cpu_us


def at_least(name: str, value: float, goal: float) -> Claim:
    return Claim(name=name, value=round(value, 2), goal=goal, holds=value >= goal)


def at_most(name: str, value: float, goal: float) -> Claim:
    return Claim(name=name, value=round(value, 3), goal=goal, holds=value <= goal)


@dataclass(frozen=True)
class Result:
    machine: dict[str, Any]
    rows: list[Row]
    claims: list[Claim]
    rounds: dict[str, list[Round]]
    curves: list[dict[str, Any]] = field(default_factory=list)  # what, and points of (size, CPU us of an item)
    over: str = "contacts"  # what the sizes of the curves are
    latencies: list[Latency] = field(default_factory=list)


def write(directory: Path, name: str, result: Result, *, quick: bool) -> Path:
    """`<directory>/<name>.json`, whole or not at all."""
    report = {**asdict(result), "quick": quick}
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.json"
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(report, indent=2) + "\n")
    unfinished.rename(path)
    return path


def table(rows: Sequence[Row], claims: Sequence[Claim], latencies: Sequence[Latency] = ()) -> str:
    width = max([len(row.what) for row in rows] + [len(claim.name) for claim in claims] + [4])
    lines = [f"{'what':<{width}} {'items':>10} {'per second':>12} {'CPU us each':>12} {'RSS MB':>8}"]
    lines += [
        f"{row.what:<{width}} {row.items:>10,} {row.per_second:>12,.1f} {row.cpu_us:>12,.1f} {row.rss_mb:>8,.1f}"
        for row in rows
    ]
    if latencies:
        lines += ["", f"{'what':<{width}} {'requests':>10} {'p50 ms':>12} {'p99 ms':>12}"]
        lines += [
            f"{each.what:<{width}} {each.requests:>10,} {each.p50_ms:>12,.1f} {each.p99_ms:>12,.1f}"
            for each in latencies
        ]
    lines.append("")
    lines += [
        f"{claim.name:<{width}} {claim.value:>10,.2f}  goal {claim.goal:,.2f}  {'holds' if claim.holds else 'FAILS'}"
        for claim in claims
    ]
    return "\n".join(lines)
