"""The engine and the post office under a seeded scheduler: whatever order, whatever dies, every promise holds. A seed
that breaks one is shown with all its decisions, and plays the same again: SIMULATION_SEED=417 bin/test tests/simulation
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.simulation import memory
from tests.simulation.running import WORLDS, Outcome, simulate
from tests.simulation.stage import Stage

pytestmark = [pytest.mark.timeout(1800), pytest.mark.django_db(transaction=True)]

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "1000"))
PARTS = 4  # of the seeds, so that two processes have the same to do
ONE = os.environ.get("SIMULATION_SEED", "")

# Where somebody must have died, once so many seeds were played.
ENOUGH = 100
FIRE = {
    *("intake.taken", "intake.matched", "looking.locked", "admission.counted", "engine.claimed", "engine.applied"),
    *("delivery.gate", "delivery.claimed", "esp.written", "esp.asked", "delivery.answered"),
    *("before a commit", "behind a commit"),
}

# what is broken, in which of the worlds it matters, and how many seeds may pass before one of them notices
MUTANTS = {
    "engine.no_claim": ("journeys", 20),
    "engine.live_version": ("journeys", 20),
    "admission.no_lock": ("post", 60),
    "timers.app_clock": ("journeys", 10),
    "check_then_send": ("post", 30),
    "withdrawals_are_not_drained": ("post", 40),
    "no_lease_check": ("post", 30),
    "gate_reads_before_it_locks": ("post", 60),
    "cap_is_counted_before_the_lock": ("post", 60),
    "blind_resend": ("post", 20),
}


@pytest.mark.parametrize("part", range(1 if ONE else PARTS))
def test_no_seed_breaks_a_promise(stage, part):
    """A simulation in which nobody died, waited or met anybody proves nothing: that is counted, too."""
    killed: Counter[str] = Counter()
    waited = decisions = 0
    seeds = [int(ONE)] if ONE else range(part, SEEDS, PARTS)
    for seed in seeds:
        outcome = simulate(stage, seed)
        if outcome.faults:
            pytest.fail(outcome.told(), pytrace=False)
        killed += Counter(outcome.killed)
        waited += outcome.waited
        decisions += len(outcome.trace)
    print(f"\n{len(seeds)} seeds, {decisions} decisions, {killed.total()} crashes, {waited} waits for a lock")
    if len(seeds) >= ENOUGH:
        assert killed.keys() >= FIRE
        assert waited > 0


@pytest.mark.skipif(bool(ONE), reason="one seed is played")
@pytest.mark.parametrize("world", WORLDS)
def test_the_same_seed_plays_the_same_history(stage, world):
    """Alone, after itself, and after others. What is done is compared, and not what was decided alone."""
    first = simulate(stage, 3, world=world)
    again = simulate(stage, 3, world=world)
    assert again.trace == first.trace
    others = [simulate(stage, seed, world=other) for seed in (4, 5) for other in WORLDS]
    after = simulate(stage, 3, world=world)
    assert after.trace == first.trace
    assert all(other.trace != first.trace for other in others)


@pytest.mark.skipif(bool(ONE), reason="one seed is played")
@pytest.mark.parametrize("world", WORLDS)
def test_a_process_remembers_nothing_of_the_seed_before(stage, world):
    stage.clear("")
    before = memory.held()
    simulate(stage, 3, world=world)
    assert _changed(before) != {}, "whoever looks there finds what a seed has left"
    stage.clear("")
    assert _changed(before) == {}


def _changed(before: dict[str, str]) -> dict[str, str]:
    """Not what came with a module that was imported meanwhile."""
    return {name: kept for name, kept in memory.held().items() if before.get(name, kept) != kept}


@pytest.mark.skipif(bool(ONE), reason="one seed is played")
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_fault_built_in_is_noticed(stage, mutant):
    world, most = MUTANTS[mutant]
    assert caught(stage, mutant, world, most) is not None


def caught(stage: Stage, mutant: str, world: str, most: int) -> Outcome | None:
    for seed in range(most):
        outcome = simulate(stage, seed, world=world, mutants=[mutant])
        if outcome.faults:
            assert simulate(stage, seed, world=world).faults == (), "the product holds where the mutant does not"
            return outcome
    return None
