"""How many events a second an installation carries, by arithmetic: whoever is full first. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.proof.scaling.figures import Figure

HOSTS, DATABASE = "hosts", "database"


@dataclass(frozen=True)
class Plant:
    """`hosts` run our processes, `cores` each; one database runs on a machine of its own."""

    hosts: int
    cores: int = 2
    database_cores: int = 2

    def servers(self) -> dict[str, int]:
        return {HOSTS: self.hosts * self.cores, DATABASE: self.database_cores}


@dataclass(frozen=True)
class Capacity:
    """`busy`: how much of each is used when the first is full."""

    events_per_second: float
    full: str
    busy: dict[str, float]


def demand(figures: Sequence[Figure]) -> dict[str, float]:
    """Seconds of processor time that an event costs, with all that it brings about."""
    return {
        HOSTS: sum(each.per_event * each.hosts_us for each in figures) / 1e6,
        DATABASE: sum(each.per_event * each.servers_us for each in figures) / 1e6,
    }


def capacity(figures: Sequence[Figure], plant: Plant) -> Capacity:
    costs, servers = demand(figures), plant.servers()
    most = {where: servers[where] / costs[where] for where in costs}
    full = min(most, key=lambda where: most[where])
    rate = most[full]
    return Capacity(rate, full, {where: rate * costs[where] / servers[where] for where in costs})


def hosts_to_fill(figures: Sequence[Figure], plant: Plant) -> float:
    """With so many hosts the database is full as well; more of them change nothing."""
    costs = demand(figures)
    return plant.database_cores * costs[HOSTS] / costs[DATABASE] / plant.cores


def sharded(figures: Sequence[Figure], databases: int, cores: int, common: float) -> float:
    """Events a second of so many databases of so many cores each, if the share `common` of the work cannot be divided:
    one of them does all of it, and as much less of the rest."""
    cost = demand(figures)[DATABASE]
    together = databases * cores / cost
    return min(together, cores / (cost * common)) if common else together
