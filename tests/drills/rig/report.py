"""What a drill found: findings of each run, the table, the JSON, and whether all of it is well."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

# What drills count in common, and the order in which tables show it. What is FORBIDDEN has to be zero.
COUNTED = (
    "acknowledged", "processed", "requests", "unsubscribes", "doubts", "doubts by proof", "doubts by deadline",
    "timers",
)  # fmt: skip
FORBIDDEN = ("lost", "twice", "after unsubscribe", "over cap", "doubts left", "resent", "early")


@dataclass(frozen=True)
class Finding:
    """One invariant in one run. `figures` are the counts behind the word; `examples` a few of the violations (ids);
    `counts` those of the figures that all drills have in common, by the words of COUNTED and FORBIDDEN."""

    invariant: str
    holds: bool
    figures: dict[str, Any] = field(default_factory=dict)
    examples: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if strange := self.counts.keys() - {*COUNTED, *FORBIDDEN}:
            raise ValueError(f"{self.invariant}: nobody else counts {', '.join(sorted(strange))}")


@dataclass(frozen=True)
class Run:
    """The product (`mutant` empty) or a mutant of it, under load and faults. `faults` as `nemesis.by_kind`;
    `to_catch` are the invariants that this mutant breaks: failing any other one, by being slow, is not being caught."""

    mutant: str
    seconds: float
    findings: tuple[Finding, ...]
    faults: dict[str, dict[str, Any]] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    to_catch: tuple[str, ...] = ()

    @property
    def violated(self) -> list[str]:
        return [finding.invariant for finding in self.findings if not finding.holds]

    @property
    def is_well(self) -> bool:
        """The product holds every invariant (and some were checked); a mutant fails one that is there to catch it."""
        if self.mutant:
            return not set(self.violated).isdisjoint(self.to_catch)
        return bool(self.findings) and not self.violated


@dataclass(frozen=True)
class Report:
    drill: str
    seed: int
    smoke: bool
    machine: dict[str, Any]
    runs: tuple[Run, ...]

    @property
    def is_well(self) -> bool:
        return any(not run.mutant for run in self.runs) and all(run.is_well for run in self.runs)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ok": self.is_well}


def table(report: Report) -> str:
    lines = [f"drill {report.drill}, seed {report.seed}{', smoke' if report.smoke else ''}"]
    for run in report.runs:
        lines.append("")
        lines.append(f"  {'mutant ' + run.mutant if run.mutant else 'the product'} ({run.seconds:.1f} s)")
        if run.faults:
            lines.append(f"    {'fault':<22}{'times':>6}{'mended after, median':>22}{'most':>8}{'never':>7}")
        for kind, row in run.faults.items():
            median, most = (_seconds(row[name]) for name in ("mended_after_median", "mended_after_most"))
            lines.append(f"    {kind:<22}{row['faults']:>6}{median:>22}{most:>8}{row['never_mended']:>7}")
        lines += [f"    {name}: {_shown(value)}" for name, value in run.figures.items()]
        for finding in run.findings:
            word = "holds   " if finding.holds else "VIOLATED"
            figures = ", ".join(f"{name} {_shown(value)}" for name, value in finding.figures.items())
            lines.append(f"    {word} {finding.invariant}{': ' + figures if figures else ''}")
            lines += [f"               {example}" for example in finding.examples]
        if run.mutant:
            lines.append(f"    {'caught' if run.is_well else 'NOT CAUGHT: this drill proves nothing'}")
    lines.append("")
    lines.append(f"  {'ok' if report.is_well else 'FAILED'}")
    return "\n".join(lines)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def write(report: Report, directory: Path) -> Path:
    """`<directory>/<drill>.json`, whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{report.drill}.json"
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(report.as_dict(), indent=2) + "\n")
    unfinished.rename(path)
    return path


def first(examples: Sequence[str], count: int = 5) -> tuple[str, ...]:
    return tuple(examples[:count])
