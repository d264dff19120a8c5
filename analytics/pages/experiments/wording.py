"""What the pages of experiments say in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analytics.experiments.verdicts import Verdict
from analytics.models import Experiment
from contacts.durations import parse_duration

STATES = {"running": ("Running", "good"), "decided": ("Decided", "plain"), "stopped": ("Stopped", "plain")}
METHODS = {"always_valid": "Mixture test, valid at every look", "sprt": "Wald’s sequential test (SPRT)"}
UNITS = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
CODES = {"weeks": "P{}W", "days": "P{}D", "hours": "PT{}H", "minutes": "PT{}M", "seconds": "PT{}S"}
DECIDED = {"better": "better", "worse": "worse", "alike": "no difference", None: "not decided yet"}


def verdict(found: Verdict) -> tuple[str, str, str]:
    """A headline, its tone and its icon."""
    return {
        "keep_running": ("Keep running", "info", "hourglass_top"),
        "winner": (f"{found.variant} wins", "good", "emoji_events"),
        "no_difference": ("No difference", "plain", "drag_handle"),
        "broken_split": ("Sample ratio broken", "bad", "error"),
        "vetoed": (f"{found.variant} is vetoed by a guardrail", "bad", "gpp_bad"),
    }[found.kind]


def decision(experiment: Experiment) -> str:
    won = f"{experiment.decision} won" if experiment.decision else "none won"
    return f"{won}, in version {experiment.rolled_out_in}" if experiment.rolled_out_in else won


def window(text: str) -> str:
    """`P7D` -> `7 days`."""
    count, unit = counted(text)
    return f"{count:,} {unit}" if count != 1 else f"1 {unit[:-1]}"


def counted(text: str) -> tuple[int, str]:
    """In the largest unit of which it is a whole number; weeks only where there are several."""
    seconds = int(parse_duration(text).total().total_seconds())
    for unit, length in UNITS.items():
        if seconds % length == 0 and (unit != "weeks" or seconds >= 2 * length):
            return seconds // length, unit
    raise AssertionError("every duration is a number of seconds")


def duration(count: int, unit: str) -> str:
    return CODES[unit].format(count)


def guarded(asked: Mapping[str, Any]) -> str:
    return f"{asked['name']}: at most {float(asked['limit']):.2%} of contacts more than the base"
