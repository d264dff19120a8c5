"""What may be said of an experiment as it stands: keep running, a winner, no difference, or that something is wrong
with it; each with its reason. Pure.

Several challengers share alpha between them (Bonferroni), so that a crowd of variants finds no winner by its number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analytics.experiments import always_valid, sample_ratio
from analytics.experiments.always_valid import Arm, Interval
from analytics.experiments.sprt import TwoSided

MISMATCH = 0.001  # a split this unlikely is broken


@dataclass(frozen=True)
class Plan:
    """What the experiment was asked. `rate` is what the base is expected to convert at; None: as is seen first."""

    base: str
    challengers: tuple[str, ...]
    method: str  # sprt · always_valid
    alpha: float
    power: float
    effect: float
    rate: float | None


@dataclass(frozen=True)
class Guardrail:
    """What must not get worse: of the contacts of a variant, how many did `name`; `limit` is the most that a challenger
    may be above the base, as a difference of shares."""

    name: str
    limit: float
    arms: Mapping[str, Arm]


@dataclass(frozen=True)
class Split:
    """Whom the variants got for as long as the weights were the same: variant -> contacts, variant -> weight."""

    counts: Mapping[str, int]
    weights: Mapping[str, float]


@dataclass(frozen=True)
class Paired:
    """The contacts of a challenger, each beside one of the base that was assigned at about the same time. `untied`: of
    the pairs in which one converted, in their order, whether it was the challenger's; `ties`: the others. `rate`: what
    both converted at in the first pairs (None: too few yet)."""

    untied: Sequence[bool] = ()
    ties: int = 0
    rate: float | None = None

    @property
    def pairs(self) -> int:
        return len(self.untied) + self.ties


@dataclass(frozen=True)
class Seen:
    """What was seen of the contacts whose window is over; in `splits` of everybody."""

    arms: Mapping[str, Arm]
    paired: Mapping[str, Paired]
    splits: Sequence[Split] = ()
    guardrails: Sequence[Guardrail] = ()


@dataclass(frozen=True)
class Held:
    """A guardrail for one challenger. `worse`: how much more of its contacts than of the base's it struck, an interval
    that is valid at every look; `broken`: by more than the limit, beyond chance."""

    name: str
    limit: float
    variant: str
    base: Arm
    arm: Arm
    worse: Interval
    broken: bool


@dataclass(frozen=True)
class Challenge:
    """A challenger against the base. `lift` is relative (0.1: 10 % more); `p_value` always valid; `decided` better,
    worse, alike or None; `expected_pairs` is how many the plan takes on average (None where that cannot be said yet);
    `test` is the one that it takes part in, at its share of alpha."""

    variant: str
    lift: float | None
    interval: Interval | None
    p_value: float
    decided: str | None
    pairs: int
    expected_pairs: int | None
    alpha: float
    test: TwoSided | None

    @property
    def pairs_left(self) -> int | None:
        return None if self.expected_pairs is None else max(0, self.expected_pairs - self.pairs)


@dataclass(frozen=True)
class Verdict:
    """`kind`: keep_running · winner · no_difference · broken_split · vetoed. `variant`: who won, or was vetoed."""

    kind: str
    variant: str
    reason: str
    challenges: tuple[Challenge, ...]
    guardrails: tuple[Held, ...]
    split_p_value: float


def judge(plan: Plan, seen: Seen) -> Verdict:
    """The order of the questions: is the split sound; who wins of those that break no guardrail; is all alike."""
    challenges = tuple(_challenge(plan, seen, variant) for variant in plan.challengers)
    held = tuple(_held(each, plan, variant) for each in seen.guardrails for variant in plan.challengers)
    vetoes = {each.variant: _veto(each) for each in reversed(held) if each.broken}
    split = _split(seen)

    def verdict(kind: str, reason: str, variant: str = "") -> Verdict:
        return Verdict(kind, variant, reason, challenges, held, split)

    if split < MISMATCH:
        return verdict(
            "broken_split", "The variants did not get the contacts that their weights promise; find out why first."
        )
    better = [each for each in challenges if each.decided == "better"]
    if winners := [each for each in better if each.variant not in vetoes]:
        best = max(winners, key=lambda each: each.lift or 0.0)
        return verdict("winner", f"{best.variant} converts better than {plan.base}: {_told(best)}.", best.variant)
    for each in better:
        return verdict(
            "vetoed",
            f"{each.variant} converts better than {plan.base} ({_told(each)}), but it {vetoes[each.variant]}.",
            each.variant,
        )
    eligible = [each for each in challenges if each.variant not in vetoes]
    if challenges and not eligible:
        first = challenges[0].variant
        return verdict("vetoed", f"{first} cannot win: it {vetoes[first]}.", first)
    beside = "".join(f" {variant} cannot win: it {why}." for variant, why in vetoes.items())
    if eligible and all(each.decided == "worse" for each in eligible):
        return verdict("winner", f"{plan.base} converts better than every other variant.{beside}", plan.base)
    if eligible and all(each.decided in ("alike", "worse") for each in eligible):
        how = "beats" if any(each.decided == "worse" for each in eligible) else "differs from"
        return verdict("no_difference", f"No variant {how} {plan.base} by {plan.effect:.0%} or more.{beside}")
    left = [each.pairs_left for each in eligible if each.decided is None and each.pairs_left]
    more = f" About {max(left):,} more contacts of each variant are expected to be needed." if left else ""
    return verdict("keep_running", f"The evidence does not suffice yet.{more}{beside}")


def walk(untied: Sequence[bool], *, test: TwoSided | None, alpha: float, method: str) -> tuple[str | None, float]:
    """Pair by pair, as if somebody had looked after each: the first decision (what comes after it takes nothing back),
    and the most that the mixture test ever showed. `alike` is always Wald's word."""
    steps = None if test is None else _Steps(test)
    half = always_valid.CONCENTRATION / 2
    won = lost = 0
    mixed = highest = for_better = for_worse = 0.0
    decided: str | None = None
    for mine in untied:
        mixed += math.log(2 * (half + (won if mine else lost)) / (2 * half + won + lost))
        won, lost = won + mine, lost + (not mine)
        highest = max(highest, mixed)
        if steps is not None:
            for_better += steps.better_won if mine else steps.better_lost
            for_worse += steps.worse_won if mine else steps.worse_lost
        if decided is not None:
            continue
        if method == "always_valid" and mixed >= -math.log(alpha):
            decided = "better" if won > lost else "worse"
        elif steps is not None:
            decided = steps.decide(for_better, for_worse)
            if method == "always_valid" and decided != "alike":
                decided = None
    return decided, highest


class _Steps:
    """What a pair adds to each of the two tests, worked out once."""

    def __init__(self, test: TwoSided) -> None:
        self._better, self._worse = test.better, test.worse
        self.better_won, self.better_lost = self._better.evidence(1, 1), self._better.evidence(0, 1)
        self.worse_won, self.worse_lost = self._worse.evidence(0, 1), self._worse.evidence(1, 1)

    def decide(self, for_better: float, for_worse: float) -> str | None:
        if for_better >= self._better.upper:
            return "better"
        if for_worse >= self._worse.upper:
            return "worse"
        if for_better <= self._better.lower and for_worse <= self._worse.lower:
            return "alike"
        return None


def _challenge(plan: Plan, seen: Seen, variant: str) -> Challenge:
    base, arm = seen.arms.get(plan.base, Arm(0, 0)), seen.arms.get(variant, Arm(0, 0))
    paired = seen.paired.get(variant, Paired())
    alpha = plan.alpha / len(plan.challengers)
    test = _test(plan, paired, alpha)
    decided, highest = walk(paired.untied, test=test, alpha=alpha, method=plan.method)
    return Challenge(
        variant=variant,
        lift=(arm.rate - base.rate) / base.rate if base.rate else None,
        interval=always_valid.difference(base, arm, alpha=alpha),
        p_value=always_valid.p_value(highest),
        decided=decided,
        pairs=paired.pairs,
        expected_pairs=None if test is None else _expected_pairs(test, alpha=alpha, method=plan.method),
        alpha=alpha,
        test=test,
    )


def _expected_pairs(test: TwoSided, *, alpha: float, method: str) -> int:
    """If the challenger is better by just the effect."""
    if method == "sprt":
        return math.ceil(test.expected_pairs())
    return math.ceil(always_valid.expected_trials(test.better.p1, alpha=alpha) / test.untied)


def _test(plan: Plan, paired: Paired, alpha: float) -> TwoSided | None:
    """What a rate is seen at first, and never again, so that the boundaries stay where they are: with them a decision
    stays, too. It says nothing of who won the pairs, so the error rates hold whatever it is."""
    rate = plan.rate if plan.rate is not None else paired.rate
    if rate is None or not 0 < rate < 1 or rate * (1 + plan.effect) >= 1:
        return None
    return TwoSided(rate=rate, effect=plan.effect, alpha=alpha, beta=1 - plan.power)


def _split(seen: Seen) -> float:
    """Times with different weights are judged apart, and their evidence adds up."""
    evidence = 0.0
    for split in seen.splits:
        drawn = {variant: weight for variant, weight in split.weights.items() if weight > 0}
        if len(drawn) > 1:
            whole = sum(drawn.values())
            counts = [split.counts.get(variant, 0) for variant in drawn]
            evidence += sample_ratio.evidence(counts, [weight / whole for weight in drawn.values()])
    return always_valid.p_value(evidence)


def _held(guardrail: Guardrail, plan: Plan, variant: str) -> Held:
    base, arm = guardrail.arms.get(plan.base, Arm(0, 0)), guardrail.arms.get(variant, Arm(0, 0))
    worse = always_valid.rare_difference(base, arm, alpha=plan.alpha)
    return Held(guardrail.name, guardrail.limit, variant, base, arm, worse, worse.low > guardrail.limit)


def _veto(held: Held) -> str:
    return f"makes “{held.name}” worse by at least {held.worse.low:.1%} of contacts, and {held.limit:.1%} is allowed"


def _told(challenge: Challenge) -> str:
    lift = f"{challenge.lift:+.0%}" if challenge.lift is not None else "from nothing"
    p_value = f"{challenge.p_value:.3f}" if challenge.p_value >= 0.001 else "below 0.001"
    return f"{lift}, p {p_value}, valid at every look"
