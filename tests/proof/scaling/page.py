"""The tables of docs/operations/scaling.md: a part of it, between two marks, that is made from what was kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.drills.rig import summary
from tests.drills.rig.processes import ROOT
from tests.proof import readme
from tests.proof.scaling import plant, simulation
from tests.proof.scaling.figures import AWAITED, MAILS, REPORTS, STEPS, Figure, figures
from tests.proof.scaling.plant import DATABASE, HOSTS, Plant

PATH = ROOT / "docs" / "operations" / "scaling.md"
OF_THE_SCHEMA = "<!-- made by tests/proof/scaling from the schema -->\n"
OF_REDIS = "<!-- made by tests/proof/scaling from the keys of the scripts -->\n"
HOST_COUNTS = (1, 2, 4, 8, 16)
DATABASES = (2, 8, 32)  # cores
SHARDS, SHARD_CORES, COMMON = (1, 2, 4, 8, 16, 32), 8, (0.0, 0.05, 0.2)
JOBS, SEED, LOAD = 6000, 20, 0.7


def text(benches: Mapping[str, Mapping[str, Any]]) -> str:
    found = figures(benches)
    parts = [
        f"An event in this mix: one in {1 / AWAITED:.0f} starts a journey of {STEPS} steps and {MAILS} mails, and of a "
        f"mail come {REPORTS} reports.\n",
        summary.markdown(*_stages(found)) + "\n",
        "What each stage carries on two cores that do nothing else (by arithmetic), beside what its benchmark reached:"
        "\n",
        summary.markdown(*_alone(found)) + "\n",
        "Events a second that an installation carries with all they bring about, and who is full then. A host has two "
        "cores; the database has a machine of its own:\n",
        summary.markdown(*_hosts(found)) + "\n",
        _turning(found),
        f"The simulation, database of {DATABASES[1]} cores: what goes through when twice as much comes, and how long a "
        f"batch of {simulation.BATCH} events takes through all stages, waits in line included, at {LOAD:.0%} of what "
        "the arithmetic says:\n",
        summary.markdown(*_simulated(found)) + "\n",
        f"Events a second if the database were divided by contact into machines of {SHARD_CORES} cores, with as many "
        "hosts as it takes, by the share of its work that cannot be divided:\n",
        summary.markdown(*_shards(found)) + "\n",
    ]
    return "\n".join(parts)


def write(benches: Mapping[str, Mapping[str, Any]], path: Path = PATH) -> None:
    readme.put(text(benches), path)


def _stages(found: Sequence[Figure]) -> tuple[list[str], list[list[str]]]:
    rows = [
        [
            each.stage,
            each.item,
            f"{each.hosts_us:,.0f}",
            f"{each.servers_us:,.0f}",
            f"{each.per_event:g}",
            each.source,
            each.split,
        ]
        for each in found
    ]
    costs = plant.demand(found)
    rows.append(["an event", "in all", f"{costs[HOSTS] * 1e6:,.0f}", f"{costs[DATABASE] * 1e6:,.0f}", "", "", ""])
    head = ["stage", "item", "our processes, µs", "PostgreSQL and Redis, µs", "of an event", "source", "how divided"]
    return head, rows


def _alone(found: Sequence[Figure]) -> tuple[list[str], list[list[str]]]:
    rows = [
        [each.stage, each.item, f"{2e6 / each.us:,.0f}", f"{each.a_second:,.0f} on {each.cores} cores"]
        for each in found
    ]
    return ["stage", "item", "a second, both cores", "benchmark, a second"], rows


def _hosts(found: Sequence[Figure]) -> tuple[list[str], list[list[str]]]:
    rows = []
    for hosts in HOST_COUNTS:
        cells = [plant.capacity(found, Plant(hosts, database_cores=cores)) for cores in DATABASES]
        rows.append([str(hosts), *(f"{cell.events_per_second:,.0f}, {cell.full}" for cell in cells)])
    return ["hosts", *(f"database of {cores} cores" for cores in DATABASES)], rows


def _turning(found: Sequence[Figure]) -> str:
    turns = [f"{plant.hosts_to_fill(found, Plant(1, database_cores=cores)):.1f}" for cores in DATABASES]
    sizes = ", ".join(str(cores) for cores in DATABASES[:-1]) + f" and {DATABASES[-1]}"
    return (
        f"The database is full from {', '.join(turns[:-1])} and {turns[-1]} hosts on, with {sizes} cores; beyond that "
        "another host adds nothing.\n"
    )


def _simulated(found: Sequence[Figure]) -> tuple[list[str], list[list[str]]]:
    rows = []
    for hosts in HOST_COUNTS:
        ground = Plant(hosts, database_cores=DATABASES[1])
        said = plant.capacity(found, ground)
        flood = simulation.installation(
            found, ground, events_per_second=2 * said.events_per_second, jobs=JOBS, seed=SEED
        )
        calm = simulation.installation(
            found, ground, events_per_second=LOAD * said.events_per_second, jobs=JOBS, seed=SEED
        )
        rows.append(
            [
                str(hosts),
                f"{said.events_per_second:,.0f}",
                f"{flood.rate * simulation.BATCH:,.0f}",
                max(flood.busy, key=lambda where: flood.busy[where]),
                f"{calm.busy[HOSTS]:.0%}, {calm.busy[DATABASE]:.0%}",
                f"{1000 * calm.percentile(0.5):,.0f} ms",
                f"{1000 * calm.percentile(0.99):,.0f} ms",
            ]
        )
    head = [
        "hosts",
        "arithmetic",
        "simulated",
        "full",
        f"hosts, database busy at {LOAD:.0%}",
        "half within",
        "99 % within",
    ]
    return head, rows


def _shards(found: Sequence[Figure]) -> tuple[list[str], list[list[str]]]:
    rows = [
        [str(shards), *(f"{plant.sharded(found, shards, SHARD_CORES, common):,.0f}" for common in COMMON)]
        for shards in SHARDS
    ]
    return ["databases", *(f"{common:.0%} in common" for common in COMMON)], rows
