"""One seed from nothing to a verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from analytics.counting import rebuild
from tests.simulation import journeys, post
from tests.simulation.play import Play
from tests.simulation.stage import Stage

WORLDS: Mapping[str, Callable[[Play], None]] = {"journeys": journeys.perform, "post": post.perform}
# that nothing is left lying about, once everything came to rest: (what, in words; who finds it)
_LEFT = {
    "events that nobody matched": "SELECT count(*) FROM pending_events",
    "people under way": "SELECT count(*) FROM workflow_enrolments WHERE state IN ('pending', 'active', 'waiting')",
    "messages without an end": "SELECT count(*) FROM outbox",
    "webhooks that nobody read": "SELECT count(*) FROM webhook_inbox WHERE folded_at IS NULL",
    "checks that nobody made": "SELECT count(*) FROM watch_checks",
}


@dataclass(frozen=True)
class Outcome:
    """`faults`: what must not be; empty where all is well."""

    seed: int
    world: str
    faults: tuple[str, ...]
    trace: tuple[str, ...]
    killed: tuple[str, ...]
    waited: int

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()[:16]

    def told(self) -> str:
        """For whoever has to find out why."""
        lines = [f"seed {self.seed} ({self.world}), {len(self.trace)} decisions, fingerprint {self.fingerprint}"]
        return "\n".join([*lines, *(f"FAULT {fault}" for fault in self.faults), *self.trace])


def world_of(seed: int) -> str:
    return "post" if seed % 5 in (1, 3) else "journeys"


def simulate(stage: Stage, seed: int, *, mutants: Collection[str] = (), world: str = "") -> Outcome:
    """The same seed plays the same history. `world`: another one than the seed's own."""
    world = world or world_of(seed)
    stage.clear(f"{world}:{seed}")
    stage.mutants = frozenset()
    play = Play(stage, f"{world}:{seed}")
    waited = stage.crew.waited
    stage.mutants = frozenset(mutants)
    WORLDS[world](play)
    stage.mutants = frozenset()
    for what, statement in _LEFT.items():
        ((count,),) = play.ask(statement)
        if count:
            play.faults.append(f"{count} {what}")
    play.faults += [difference.said for difference in rebuild.compare().differences]
    return Outcome(
        seed,
        world,
        tuple(play.faults),
        tuple(play.trace),
        tuple(play.crew.killed),
        stage.crew.waited - waited,
    )
