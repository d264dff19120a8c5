"""What processes cost, as the operating system counts it: processor time and memory of whole trees, from /proc.

A tree's time is the sum over its living processes and over all that they have reaped, so a database backend or a worker
that exits between two readings is still counted, in its parent."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_ATTEMPTS = 100


class ProcessesKeptChanging(Exception):
    """No two readings in a row saw the same processes: any sum would count some of them twice or not at all."""


@dataclass(frozen=True)
class Stat:
    """One line of /proc/<pid>/stat. `own` and `reaped` are ticks of user and system time."""

    pid: int
    parent: int
    started: int
    own: int
    reaped: int


def read_stat(text: str) -> Stat:
    """The program's name may hold spaces and parentheses: the fields are counted from behind its last one."""
    pid, rest = text.split(" ", 1)
    fields = rest[rest.rindex(")") + 2 :].split()
    return Stat(
        pid=int(pid),
        parent=int(fields[1]),
        started=int(fields[19]),
        own=int(fields[11]) + int(fields[12]),
        reaped=int(fields[13]) + int(fields[14]),
    )


def _scan() -> dict[int, Stat]:
    stats = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = read_stat(Path("/proc", name, "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue
            stats[stat.pid] = stat
    return stats


def tree(stats: dict[int, Stat], roots: Iterable[int]) -> list[Stat]:
    """The roots that live, and all that descend from them; each once."""
    children: dict[int, list[Stat]] = {}
    for stat in stats.values():
        children.setdefault(stat.parent, []).append(stat)
    found: dict[int, Stat] = {}
    todo = [stats[pid] for pid in roots if pid in stats]
    while todo:
        stat = todo.pop()
        if stat.pid not in found:
            found[stat.pid] = stat
            todo.extend(children.get(stat.pid, []))
    return list(found.values())


def cpu_seconds(roots: Iterable[int]) -> float:
    """User and system time of the trees under `roots` so far, without loss when a process exits during the reading:
    read again until neither the processes nor what they have reaped changed in between.

    Raises ProcessesKeptChanging."""
    roots = list(roots)
    before = None
    for _ in range(_ATTEMPTS):
        stats = tree(_scan(), roots)
        seen = {(stat.pid, stat.started, stat.reaped) for stat in stats}
        if seen == before:
            return sum(stat.own + stat.reaped for stat in stats) / _TICK
        before = seen
    raise ProcessesKeptChanging


def memory_mb(roots: Iterable[int]) -> float:
    """Resident memory of the trees, pages shared between processes divided among them (PSS), in MB."""
    total = 0
    for stat in tree(_scan(), roots):
        try:
            lines = Path("/proc", str(stat.pid), "smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def children(pid: int) -> list[int]:
    """The living children of a process, without their own."""
    return sorted(stat.pid for stat in _scan().values() if stat.parent == pid)


def descendants(pid: int) -> list[int]:
    return sorted(stat.pid for stat in tree(_scan(), [pid]) if stat.pid != pid)
