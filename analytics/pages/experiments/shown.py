"""The results of an experiment as its page shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from analytics.experiments.results import Results, Standing
from analytics.experiments.verdicts import Challenge, Held
from analytics.pages.experiments import charts, wording
from analytics.pages.experiments.charts import measured, percent


@dataclass(frozen=True)
class Line:
    """A variant in the table of results. `share`: of the pairs that the plan expects, how many there are, in per
    cent."""

    standing: Standing
    tone: int
    weight: str
    rate: str
    within: str
    lift: str
    difference: str
    p_value: str
    decided: str
    pairs: str
    share: int | None


@dataclass(frozen=True)
class Guarded:
    name: str
    variant: str
    struck: str
    base: str
    worse: str
    limit: str
    is_broken: bool


def context(read: Results) -> dict[str, Any]:
    experiment, verdict = read.experiment, read.verdict
    base = next((each.variant for each in read.standings if each.is_base), "")
    tone_of = charts.tones([each.variant for each in read.standings], base)
    challenges = {each.variant: each for each in verdict.challenges} if verdict else {}
    whole = sum(each.weight for each in read.standings)
    headline, tone, icon = wording.verdict(verdict) if verdict else ("Nothing to judge yet", "warn", "help")
    return {
        "results": read,
        "base": base,
        "verdict": verdict,
        "headline": headline,
        "tone": tone,
        "icon": icon,
        "lines": [_line(each, challenges.get(each.variant), tone_of[each.variant], whole) for each in read.standings],
        "still_open": sum(each.still_open for each in read.standings),
        "guardrails": [_guarded(each) for each in (verdict.guardrails if verdict else ())],
        "limits": [wording.guarded(each) for each in experiment.guardrails],
        "rates": charts.rates(read.history, tone_of),
        "ways": [charts.way(name, points, tone=tone_of[name]) for name, points in read.paths.items()],
        "plan": _plan(read),
        "split": None if verdict is None else _p_value(verdict.split_p_value),
        "decision": wording.decision(experiment),
        "winner": verdict.variant if verdict and verdict.kind == "winner" else "",
    }


def _line(standing: Standing, challenge: Challenge | None, tone: int, whole: float) -> Line:
    interval = challenge.interval if challenge else None
    share = None
    if challenge is not None and challenge.expected_pairs:
        share = min(100, round(100 * challenge.pairs / challenge.expected_pairs))
    return Line(
        standing=standing,
        tone=tone,
        weight=percent(standing.weight / whole) if whole and standing.weight else "nobody new",
        rate=measured(standing.rate) if standing.settled else "–",
        within=f"{measured(standing.within.low)} to {measured(standing.within.high)}" if standing.settled else "",
        lift=_signed(challenge.lift) if challenge and challenge.lift is not None else "–",
        difference=f"difference {_points(interval.low)} to {_points(interval.high)} points" if interval else "",
        p_value=_p_value(challenge.p_value) if challenge else "–",
        decided=wording.DECIDED[challenge.decided] if challenge else "the one to beat" if standing.is_base else "–",
        pairs=_pairs(challenge) if challenge else "",
        share=share,
    )


def _guarded(held: Held) -> Guarded:
    return Guarded(
        name=held.name,
        variant=held.variant,
        struck=f"{measured(held.arm.rate)} of {held.arm.contacts:,}",
        base=f"{measured(held.base.rate)} of {held.base.contacts:,}",
        worse=f"{_points(held.worse.low)} to {_points(held.worse.high)} points",
        limit=f"{_points(held.limit)} points",
        is_broken=held.broken,
    )


def _plan(read: Results) -> list[tuple[str, str]]:
    """What was fixed, as pairs of a label and a value."""
    experiment = read.experiment
    base = next((each.variant for each in read.standings if each.is_base), "–")
    rows = [
        ("Converted when", f"{read.goal or 'not said yet'}, within {wording.window(experiment.window)}"),
        ("The variant to beat", base),
        ("Test", wording.METHODS[experiment.method]),
        ("False alarms (α)", f"{percent(experiment.alpha)}, shared by all challengers"),
        ("Power", percent(experiment.power)),
        ("Least effect worth finding", f"{percent(experiment.effect)} of the base’s rate"),
        ("Expected rate", "as in the first 50 conversions" if experiment.rate is None else percent(experiment.rate)),
    ]
    test = next((each.test for each in read.verdict.challenges if each.test), None) if read.verdict else None
    if test is not None:
        rows.append(("A fixed test would need", f"{test.fixed_sample():,} contacts of each variant, looked at once"))
    return rows


def _pairs(challenge: Challenge) -> str:
    if challenge.expected_pairs is None:
        return f"{challenge.pairs:,} pairs"
    return f"{challenge.pairs:,} of about {challenge.expected_pairs:,} pairs"


def _signed(share: float) -> str:
    return f"{share * 100:+.1f}%".replace("-", "−")


def _points(share: float) -> str:
    return f"{share * 100:+.2f}".replace("-", "−")


def _p_value(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"
