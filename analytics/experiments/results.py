"""An experiment as it stands: read from its outcomes in a constant number of statements, and judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from analytics.experiments import always_valid, outcomes, paths, register, tallies
from analytics.experiments.always_valid import Arm, Interval
from analytics.experiments.paths import Point
from analytics.experiments.tallies import SLICES, Cell, Tallies
from analytics.experiments.verdicts import Guardrail, Plan, Seen, Verdict, judge
from analytics.models import Experiment


@dataclass(frozen=True)
class Standing:
    """A variant: `assigned` ever, `settled` of them (they count: their window is over, and that of everybody before
    them), `converted` of these; `converted_so_far` of the others, who count in no verdict (None: too many to look at
    for a page). `within`: where the rate is, valid at every look."""

    variant: str
    weight: float
    is_base: bool
    assigned: int
    settled: int
    converted: int
    converted_so_far: int | None
    rate: float
    within: Interval

    @property
    def still_open(self) -> int:
        return self.assigned - self.settled


@dataclass(frozen=True)
class Moment:
    """Of everybody who was assigned up to `at`: variant -> those who count, and where the rate was."""

    at: datetime
    arms: Mapping[str, Arm]
    within: Mapping[str, Interval]


@dataclass(frozen=True)
class Results:
    """`verdict` is None without a goal. `history` in the order of time; `paths`: of each challenger."""

    experiment: Experiment
    at: datetime
    goal: str
    standings: tuple[Standing, ...]
    verdict: Verdict | None
    history: tuple[Moment, ...]
    paths: Mapping[str, Sequence[Point]]

    @property
    def settled(self) -> int:
        return sum(each.settled for each in self.standings)


def read(experiment: Experiment, *, now: datetime) -> Results:
    """Eight statements."""
    variants = register.variants(experiment)
    seen = tallies.read(experiment, variants)
    so_far = outcomes.converted_so_far(experiment, now=now)
    arms = _arms(seen.cells)
    names = [*variants.weights, *sorted((seen.assigned.keys() | arms.keys()) - variants.weights.keys())]
    standings = tuple(
        Standing(
            variant=name,
            weight=variants.weights.get(name, 0.0),
            is_base=name == variants.base,
            assigned=seen.assigned.get(name, 0),
            settled=arm.contacts,
            converted=arm.converted,
            converted_so_far=None if so_far is None else so_far.get(name, 0),
            rate=arm.rate,
            within=always_valid.rate(arm, alpha=experiment.alpha),
        )
        for name, arm in ((name, arms.get(name, Arm(0, 0))) for name in names)
    )
    plan = _plan(experiment, variants)
    verdict = judge(plan, _seen(experiment, seen, arms)) if experiment.goal else None
    return Results(
        experiment=experiment,
        at=now,
        goal=register.goal_words(experiment.goal),
        standings=standings,
        verdict=verdict,
        history=_history(seen, names, experiment.alpha),
        paths={
            each.variant: paths.path(
                seen.paired[each.variant].untied, test=each.test, alpha=each.alpha, method=experiment.method
            )
            for each in (verdict.challenges if verdict else ())
            if each.variant in seen.paired
        },
    )


def look(experiment: Experiment, *, now: datetime) -> Results:
    """`read`, inside the caller's transaction, for somebody who sees it: from the first outcomes on that are shown, the
    question stays as it is."""
    found = read(experiment, now=now)
    if found.settled and experiment.looked_at is None:
        Experiment.objects.filter(pk=experiment.pk, looked_at=None).update(looked_at=now)
        experiment.looked_at = now
    return found


def _plan(experiment: Experiment, variants: register.Variants) -> Plan:
    return Plan(
        base=variants.base,
        challengers=tuple(name for name in variants.weights if name != variants.base),
        method=experiment.method,
        alpha=experiment.alpha,
        power=experiment.power,
        effect=experiment.effect,
        rate=experiment.rate,
    )


def _seen(experiment: Experiment, seen: Tallies, arms: Mapping[str, Arm]) -> Seen:
    guardrails = [
        Guardrail(
            str(asked["name"]),
            float(asked["limit"]),
            {name: Arm(arm.contacts, _struck(seen.cells, name, place)) for name, arm in arms.items()},
        )
        for place, asked in enumerate(experiment.guardrails)
    ]
    return Seen(arms, seen.paired, seen.splits, guardrails)


def _struck(cells: Sequence[Cell], variant: str, place: int) -> int:
    return sum(cell.contacts for cell in cells if cell.variant == variant and cell.harmed >> place & 1)


def _arms(cells: Sequence[Cell]) -> dict[str, Arm]:
    found: dict[str, Arm] = {}
    for cell in cells:
        before = found.get(cell.variant, Arm(0, 0))
        found[cell.variant] = Arm(before.contacts + cell.contacts, before.converted + cell.converted)
    return found


def _history(seen: Tallies, names: Sequence[str], alpha: float) -> tuple[Moment, ...]:
    if seen.first is None or seen.last is None or not seen.cells:
        return ()
    step = (seen.last - seen.first) / SLICES
    moments = []
    for place in range(1, max(cell.slice for cell in seen.cells) + 1):
        arms = _arms([cell for cell in seen.cells if cell.slice <= place])
        arms = {name: arms[name] for name in names if name in arms}
        within = {name: always_valid.rate(arm, alpha=alpha) for name, arm in arms.items()}
        moments.append(Moment(seen.first + step * place, arms, within))
    return tuple(moments)
