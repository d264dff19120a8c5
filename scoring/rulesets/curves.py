"""How the points of one event fade, as a curve to draw and as a table to read. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from contacts.durations import parse_duration
from scoring.rulesets import wording
from scoring.rulesets.decay import BadDecay, Decay, parse_decay, remaining

WIDTH, HEIGHT = 100.0, 40.0  # the units of `line` and `area`
SPANS = 4.0  # periods that the curve of a half-life shows: after them 6 % are left
BEYOND = 1.5  # periods that the others show
STEPS = 48


@dataclass(frozen=True)
class Reading:
    """What is left at an age: `at` in words, `share` from 0 to 1, `points` signed, in words."""

    at: str
    share: float
    points: str


@dataclass(frozen=True)
class Curve:
    """`line` is a path from the fresh event on the left to `ends` on the right, in WIDTH by HEIGHT units measured from
    above; `area` the same, closed at the bottom. `said` is the curve in a sentence, `readings` the table behind it."""

    line: str
    area: str
    ends: str
    said: str
    readings: tuple[Reading, ...]


def curve(fading: object, points: float) -> Curve:
    """Of a decay as people write it ({} and None: none), for an event worth `points`. As time goes by in life, whatever
    the speed of the installation. Raises BadDecay."""
    decay = parse_decay(fading, speed=1.0)
    period = str(fading.get("period", "")) if isinstance(fading, dict) else ""
    if decay.kind == "none":
        line = f"M0 {_height(1.0)} L{WIDTH:g} {_height(1.0)}"
        always = Reading("at any age", 1.0, wording.signed(points))
        return Curve(line, _closed(line), "ever after", "never fades", (always,))
    spans = SPANS if decay.kind == "half_life" else BEYOND
    line = _line(decay, spans)
    ages = (0.0, 0.5, 1.0, 2.0, 4.0) if decay.kind == "half_life" else (0.0, 0.25, 0.5, 0.75, 1.0)
    return Curve(
        line=line,
        area=_closed(line),
        ends=_age(decay, spans, period),
        said=wording.fading(fading),
        readings=tuple(_reading(decay, ages_in, period, points) for ages_in in ages),
    )


def drawn(fading: object, points: float) -> Curve | None:
    """The same; None for what is no decay."""
    try:
        return curve(fading, points)
    except BadDecay:
        return None


def _line(decay: Decay, spans: float) -> str:
    if decay.kind == "linear":
        corners = [(0.0, 1.0), (1.0, 0.0), (spans, 0.0)]
    elif decay.kind == "step":
        corners = [(0.0, 1.0), (1.0, 1.0), (1.0, 0.0), (spans, 0.0)]
    else:
        ages = [spans * step / STEPS for step in range(STEPS + 1)]
        corners = [(age, remaining(decay, age * decay.seconds)) for age in ages]
    return " ".join(
        f"{'L' if place else 'M'}{age / spans * WIDTH:.4g} {_height(share)}"
        for place, (age, share) in enumerate(corners)
    )


def _height(share: float) -> str:
    return f"{HEIGHT * (1 - share):.4g}"


def _closed(line: str) -> str:
    return f"{line} L{WIDTH:g} {HEIGHT:g} L0 {HEIGHT:g} Z"


def _reading(decay: Decay, spans: float, period: str, points: float) -> Reading:
    share = remaining(decay, spans * decay.seconds)
    return Reading(_age(decay, spans, period) if spans else "fresh", share, wording.signed(points * share))


def _age(decay: Decay, spans: float, period: str) -> str:
    """So many periods, in words: in the unit that they were written in where that is whole."""
    days = parse_duration(period).total().total_seconds() / 86400 * spans
    if days >= 1:
        return wording.counted(round(days, 1), "day")
    return wording.counted(round(days * 24, 2), "hour")
