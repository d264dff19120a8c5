"""What a drill is, and how one is performed: the product first, then each of its mutants, on one pair of servers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tests.drills.rig import checker, machine, stage
from tests.drills.rig.report import Report, Run
from tests.drills.rig.servers import BROKERS, Servers
from tests.drills.rig.stage import Stage
from tests.drills.rig.stub_plan import StubPlan


@dataclass(frozen=True)
class Play:
    """One run: of the product itself (`mutant` empty) or of a mutant; `calm` is the product without faults."""

    mutant: str
    smoke: bool
    seed: int
    calm: bool = False

    @property
    def name(self) -> str:
        return self.mutant or ("calm" if self.calm else "product")


class Drill(Protocol):
    """`perform` calls `furnish` once, and `play` for the product and for each of the mutants, on a stage of its own. A
    drill may name mutants `left_to_others`: in the smoke form they are left to the drill that catches them anyway."""

    name: str
    mutants: Mapping[str, tuple[str, ...]]  # with the invariants that must catch it
    has_calm_run: bool  # at full size, for figures that are promised without faults

    def furnish(self, servers: Servers, env: Mapping[str, str], *, smoke: bool) -> None:
        """Fill the template database: people, workflows, keys. `env` runs management commands on it."""

    def settings(self, play: Play) -> dict[str, str]:
        """The product's environment, CARILLON_CHAOS included."""

    def plan(self, play: Play) -> StubPlan:
        """How the ESP behaves."""

    def play(self, scene: Stage, play: Play) -> Run:
        """Load, faults, quiet, findings."""


def perform(
    drill: Drill, servers: Servers, directory: Path, *, smoke: bool, seed: int, say: Callable[[str], None]
) -> Report:
    ground = machine.describe(**servers.versions())
    say(f"{drill.name}: furnishing")
    stage.furnish(servers, directory, lambda env: drill.furnish(servers, env, smoke=smoke))
    left = getattr(drill, "left_to_others", ()) if smoke else ()
    plays = [Play("", smoke, seed), *(Play(mutant, smoke, seed) for mutant in drill.mutants if mutant not in left)]
    if drill.has_calm_run and not smoke:
        plays.insert(0, Play("", smoke, seed, calm=True))
    runs = []
    for play in plays:
        say(f"{drill.name}: {play.name}")
        runs.append(_run(drill, servers, directory, play))
    name = drill.name if servers.broker == BROKERS[0] else f"{drill.name}_{servers.broker}"
    return Report(drill=name, seed=seed, smoke=smoke, machine=ground, runs=tuple(runs))


def _run(drill: Drill, servers: Servers, directory: Path, play: Play) -> Run:
    name = play.name.replace(".", "_")
    settings = drill.settings(play)
    if play.mutant:
        settings["CARILLON_MUTANT"] = play.mutant
        settings.setdefault("CARILLON_CHAOS", "on")
    started = time.monotonic()
    plan = drill.plan(play)
    with Stage(servers, directory / name, name, plan=plan, settings=settings, forked=play.smoke) as scene:
        run = drill.play(scene, play)
        if not play.mutant:
            run = replace(run, findings=(*run.findings, checker.counters_equal_a_recount(scene)))
    return replace(
        run,
        mutant=play.mutant,
        seconds=round(time.monotonic() - started, 1),
        to_catch=drill.mutants.get(play.mutant, ()),
    )
