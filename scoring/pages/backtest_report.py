"""The figures of a back-test as a page shows them: tiles with honest words, a sweep as lines, tables with bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scoring.backtests.judging import MOST_INSTANTS
from scoring.backtests.rising import Rising

FEW = 30  # of fewer, a share says little
WIDTH = 1000.0
DAY = 86_400
AS_NOW = {
    "tag": "tags",
    "list": "lists",
    "segment": "segments",
    "consent": "consent",
    "workflow": "who is in which journey",
    "stage": "the lifecycle stage",
}


@dataclass(frozen=True)
class Tile:
    title: str
    number: str
    notes: tuple[str, ...]
    pill: str = ""
    tone: str = "plain"


@dataclass(frozen=True)
class Bar:
    """A line of a table with a bar in it, `width` per cent long."""

    name: str
    count: int
    share: str
    width: float
    tone: str


@dataclass(frozen=True)
class Sweep:
    """Lines over the thresholds, in a picture WIDTH wide and 100 high; `labels` stand below it, evenly."""

    precision: str
    recall: str
    f1: str
    threshold: float
    best: float | None
    labels: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]


def tiles(result: Mapping[str, Any]) -> list[Tile]:
    tried, base = result["tried"], result["base_rate"]
    precision, recall = tried["precision"], tried["recall"]
    verdict, tone = beside_guessing(tried)
    start = tried["above_at_start"]
    return [
        Tile(
            "Would cross",
            f"{tried['crossed']:,}",
            (
                f"of {result['contacts']:,} who did something in these days.",
                *((f"{start:,} of them had the points when the days began.",) if start else ()),
            ),
        ),
        Tile(
            "Precision",
            percent(precision["share"]),
            (
                f"{precision['hits']:,} of the {precision['of']:,} who crossed converted afterwards.",
                *_between(precision),
                *(
                    (f"Picking blindly at the same moments: {percent(tried['guessing'])}.",)
                    if tried["guessing"] is not None
                    else ()
                ),
            ),
            verdict,
            tone,
        ),
        Tile(
            "Recall",
            percent(recall["share"]),
            (
                f"{recall['hits']:,} of the {recall['of']:,} who converted had crossed before.",
                *_between(recall),
                *((f"{tried['late']:,} crossed only when they had converted.",) if tried["late"] else ()),
            ),
        ),
        Tile("F1", share(tried["f1"]), ("Precision and recall in one number, 1 at best.", *_best(result))),
        Tile("Lead time", days(result["lead_time"], 1), _lead_notes(result)),
        Tile("Converted", percent(base["share"]), (f"{base['hits']:,} of {base['of']:,} in these days.",)),
    ]


def beside_guessing(told: Mapping[str, Any]) -> tuple[str, str]:
    """Whether the precision is better than that of blind picks, as far as so few can tell."""
    precision, guess = told["precision"], told["guessing"]
    if guess is None or precision["share"] is None:
        return "", "plain"
    if precision["low"] > guess:
        return (
            f"{precision['share'] / guess:.1f} times as good as guessing" if guess else "better than guessing",
            "good",
        )
    if precision["high"] < guess:
        return "worse than guessing", "bad"
    return "not to be told from guessing", "warn"


def remarks(result: Mapping[str, Any], *, cut: int, rising: Rising, step: str) -> list[str]:
    """What a reader should know before trusting the figures."""
    said = []
    tried, converted = result["tried"], result["base_rate"]["hits"]
    if not converted:
        said.append("Nobody converted in these days, so nothing can be said of how good these rules are.")
    elif converted < FEW:
        each = 100 / converted
        said.append(
            f"Only {_people(converted)} converted: one more or less among them moves recall by {each:.0f} points."
        )
    if 0 < tried["crossed"] < FEW:
        each, few = 100 / tried["crossed"], _people(tried["crossed"])
        said.append(f"Only {few} would have crossed: one more or less moves precision by {each:.0f} points.")
    if cut:
        said.append(
            f"{_people(cut)} did more than can be looked at: of them, only what followed the first events (up to "
            f"{MOST_INSTANTS:,}) was judged."
        )
    if not rising.is_exact:
        said.append(
            "Points that are taken away come back with time, or a rule looks at the time itself. Between events the "
            f"score was therefore looked at {step}; a crossing there may be told as much too late."
        )
    if rising.attributes:
        said.append(
            "Attributes are read as they were at each moment. Of the time before a contact was known here, what was "
            "told first counts."
        )
    if rising.as_now:
        names = sorted(AS_NOW[each] for each in rising.as_now)
        listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
        said.append(
            f"Rules ask for {listed}, and that is read as it is today: whoever got there by converting makes these "
            "figures better than they are."
        )
    return said


def overlap(result: Mapping[str, Any]) -> list[Bar]:
    """Both versions beside each other; empty where there was none to compare with."""
    if result["active"] is None:
        return []
    groups = (
        ("Both", result["both"], "both"),
        ("Only this version", result["only_tried"], "tried"),
        ("Only the active one", result["only_active"], "active"),
    )
    return _bars([(name, count, tone) for name, count, tone in groups])


def leads(result: Mapping[str, Any]) -> list[Bar]:
    def name(start: int, end: int | None) -> str:
        if end is None:
            return f"{start} days and more"
        return "the same day" if end == 1 else f"{start} to {end} days"

    counted = list(result["leads"])
    while len(counted) > 1 and counted[-1][2] == 0:
        counted.pop()
    return _bars([(name(start, end), count, "tried") for start, end, count in counted])


def sweep(result: Mapping[str, Any]) -> Sweep | None:
    marks = result["sweep"]
    if not marks:
        return None
    top = marks[-1]["threshold"]

    def x(threshold: float) -> float:
        return round(WIDTH * threshold / top, 1)

    def line(figure: str) -> str:
        points = [(x(mark["threshold"]), mark[figure]) for mark in marks if mark[figure] is not None]
        return " ".join(f"{at},{round(100 - 100 * value, 2)}" for at, value in points)

    own, best = result["tried"]["threshold"], result["best_threshold"]
    return Sweep(
        precision=line("precision"),
        recall=line("recall"),
        f1=line("f1"),
        threshold=x(own),
        best=None if best is None else x(best),
        labels=tuple(f"{top * part:g}" for part in (0, 0.25, 0.5, 0.75, 1)),
        rows=tuple(
            {
                "threshold": f"{mark['threshold']:g}",
                "crossed": f"{mark['crossed']:,}",
                "foretold": f"{mark['foretold']:,}",
                "precision": percent(mark["precision"]),
                "recall": percent(mark["recall"]),
                "f1": share(mark["f1"]),
                "is_own": mark["threshold"] == own,
                "is_best": mark["threshold"] == best,
            }
            for mark in marks
        ),
    )


def percent(value: float | None) -> str:
    if value is None:
        return "–"
    digits = 1 if 0 < value < 0.1 else 0
    return f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _between(rate: Mapping[str, Any]) -> tuple[str, ...]:
    """How far chance alone may have moved it; said where it is much."""
    if rate["share"] is None or rate["high"] - rate["low"] < 0.02:
        return ()
    return (f"By chance alone it may be {percent(rate['low'])} to {percent(rate['high'])}.",)


def _best(result: Mapping[str, Any]) -> tuple[str, ...]:
    best = result["best_threshold"]
    if best is None:
        return ()
    if best == result["tried"]["threshold"]:
        return ("No other threshold would do better.",)
    highest = max(mark["f1"] for mark in result["sweep"] if mark["f1"] is not None)
    return (f"The best, {share(highest)}, would be at {best:g} points.",)


def _lead_notes(result: Mapping[str, Any]) -> tuple[str, ...]:
    if not result["lead_time"]:
        return ("Nobody crossed and then converted.",)
    low, high = days(result["lead_time"], 0), days(result["lead_time"], 2)
    return ("From crossing to converting, for the one in the middle.", f"Half of them: {low} to {high}.")


def days(quartiles: Sequence[float] | None, place: int) -> str:
    if not quartiles:
        return "–"
    seconds = quartiles[place]
    if seconds < 2 * DAY:
        hours = seconds / 3600
        return f"{hours:.0f} h" if hours >= 1 else f"{seconds / 60:.0f} min"
    return f"{seconds / DAY:.0f} days"


def _bars(counted: Sequence[tuple[str, int, str]]) -> list[Bar]:
    total, most = sum(count for _, count, _ in counted), max(count for _, count, _ in counted)
    return [
        Bar(name, count, percent(count / total) if total else "–", round(100 * count / most, 1) if most else 0.0, tone)
        for name, count, tone in counted
    ]


def _people(count: int) -> str:
    return "one contact" if count == 1 else f"{count:,} contacts"
