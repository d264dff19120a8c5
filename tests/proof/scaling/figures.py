"""What an item of each stage costs, in processor time: from docs/proof where a benchmark at full size was kept, else
from the run that is named. Nothing here has to be changed when one is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.bench import delivery, engine, intake

QUICK = "`bin/bench {} --quick`, 2026-11-23, two cores that others used as well"


@dataclass(frozen=True)
class Figure:
    """One item of a stage: microseconds of our processes, and of PostgreSQL and Redis together. `per_event`: how many
    items an event brings. `a_second`: what the benchmark reached, on `cores`."""

    stage: str
    item: str
    per_event: float
    hosts_us: float
    servers_us: float
    a_second: float
    cores: int
    source: str
    split: str

    @property
    def us(self) -> float:
        return self.hosts_us + self.servers_us


@dataclass(frozen=True)
class Need:
    """A row of a benchmark, and what stands for it until one is kept: `us` in all, of which `servers` is the share of
    PostgreSQL and Redis."""

    stage: str
    item: str
    per_event: float
    bench: str
    row: str
    us: float
    a_second: float
    servers: float
    split: str
    source: str


# one event in ten starts a journey of six steps and two mails, and of a mail come one and a half reports
AWAITED, STEPS, MAILS, REPORTS = 0.1, 6, 2, 1.5
MEASURED = "measured with it"
NEEDS = (
    Need("web", "event, by a hundred", 1.0, "intake", intake.HTTP, 206.3, 4875, 0.442, MEASURED,
         QUICK.format("intake")),
    Need("intake", "event", 1.0, "intake", intake.OURS, 97.0, 3900, 0.482, MEASURED, QUICK.format("intake")),
    Need("engine", "step", AWAITED * STEPS, "engine", engine.OURS, 26.0, 31179, 15 / 29.6,
         "[ADR 0006](../decisions/0006-a-step-rewrites-no-index.md): 15 of 29.6 µs", QUICK.format("engine")),
    Need("delivery", "mail of 20 kB", AWAITED * MAILS, "delivery", delivery.OURS, 1454.0, 942, 0.226, MEASURED,
         "two turns of ours alone, as in " + QUICK.format("delivery")),
    Need("webhooks", "report of the ESP", AWAITED * MAILS * REPORTS, "intake", intake.HTTP, 206.3, 4875, 0.442,
         MEASURED, "not measured: taken for an event at the web"),
)  # fmt: skip


def figures(benches: Mapping[str, Mapping[str, Any]]) -> list[Figure]:
    """`benches`: what was kept, by name (`tests.proof.kept.load`)."""
    return [_figure(need, benches.get(need.bench)) for need in NEEDS]


def _figure(need: Need, kept: Mapping[str, Any] | None) -> Figure:
    us, a_second, servers, cores = need.us, need.a_second, need.servers, 2
    source, split = need.source, need.split
    if kept is not None:
        row = next(row for row in kept["rows"] if row["what"] == need.row)
        us, a_second, cores = row["cpu_us"], row["per_second"], kept["machine"]["cores"]
        kept_in = f"[docs/proof]({'../proof/index.md'}#{need.bench}): {need.bench}, {kept['day']}"
        source = f"{need.source}, {kept_in}" if need.source.startswith("not measured") else kept_in
        turns = kept["rounds"].get(need.row, ())
        if turns and all(turn.get("workers_cpu") for turn in turns):
            servers = 1 - sum(turn["workers_cpu"] for turn in turns) / sum(turn["cpu"] for turn in turns)
            split = MEASURED
    return Figure(
        need.stage, need.item, need.per_event, us * (1 - servers), us * servers, a_second, cores, source, split
    )
