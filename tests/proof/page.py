"""docs/proof/index.md: every kept drill and benchmark as tables, and charts beside the growth curves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.drills.rig import summary
from tests.proof import kept, readme
from tests.proof.chart import Curve, growth
from tests.proof.scaling import page as scaling

HEAD = """# What was found

Made by `bin/drill` and `bin/bench` at full size, from the JSON beside this page; nothing here is written by hand.
`bin/drill all` and `bin/bench all` run all of it again. A `+` behind a commit says that the code had changes that were
not committed yet.
"""


def write(folder: Path = kept.FOLDER) -> None:
    """The page and its charts, and what the README and docs/operations/scaling.md show of it, anew."""
    drills, benches = kept.load(kept.DRILLS, folder), kept.load(kept.BENCHES, folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.md").write_text(text(drills, benches), encoding="utf-8")
    if folder == kept.FOLDER:
        readme.put(readme.text(drills, benches))
        scaling.write(benches)
    for name, drawing in charts(benches).items():
        (folder / name).write_text(drawing, encoding="utf-8")


def text(drills: Mapping[str, Mapping[str, Any]], benches: Mapping[str, Mapping[str, Any]]) -> str:
    parts = [HEAD]
    if drills:
        parts += [
            "## Drills\n",
            "Counted over the runs of the product under faults. From “lost” on, every number has to be 0. "
            f"All runs on this page, the mutants' too, took {_minutes(drills)} minutes together.\n",
            summary.markdown(*summary.books(drills.values())) + "\n",
            "How long each kind of fault was felt:\n",
            summary.markdown(*summary.recovery(drills.values())) + "\n",
            "The same drills against the product with one safeguard taken out:\n",
            summary.markdown(*summary.mutants(drills.values())) + "\n",
            "What each run checked:\n",
        ]
        parts += [_findings(report) for report in drills.values()]
    if benches:
        parts.append("## Benchmarks\n")
        parts += [_bench(name, report) for name, report in benches.items()]
    if not drills and not benches:
        parts.append("Nothing was run at full size yet.\n")
    return "\n".join(parts)


def _minutes(drills: Mapping[str, Mapping[str, Any]]) -> int:
    """Of all their runs, one after the other, whenever each was performed."""
    return math.ceil(sum(run["seconds"] for report in drills.values() for run in report["runs"]) / 60)


def _ran(report: Mapping[str, Any]) -> str:
    machine = report["machine"]
    load = f", load {machine['load_before']} before" if "load_before" in machine else ""
    return (
        f"{report['day']}, commit `{report['commit']}`, {machine['cores']} cores of {machine['cpu']}, "
        f"{machine['memory_gb']} GB, Python {machine['python']}{load}"
    )


def _findings(report: Mapping[str, Any]) -> str:
    lines = [f"### {report['drill']}\n", f"Seed {report['seed']}; {_ran(report)}.\n"]
    for run in report["runs"]:
        if run["mutant"]:
            continue
        lines.append(f"{'Under faults' if run['faults'] else 'Without faults'}, {run['seconds']:,.0f} s:\n")
        for finding in run["findings"]:
            figures = ", ".join(f"{name} {_shown(value)}" for name, value in finding["figures"].items())
            word = "" if finding["holds"] else "**VIOLATED** "
            lines.append(f"- {word}{finding['invariant']}{': ' + figures if figures else ''}")
        lines.append("")
    return "\n".join(lines)


def _bench(name: str, report: Mapping[str, Any]) -> str:
    rows = [
        [
            row["what"],
            f"{row['items']:,}",
            f"{row['per_second']:,.0f}",
            f"{row['cpu_us']:,.1f}",
            f"{row['rss_mb']:,.0f}",
        ]
        for row in report["rows"]
    ]
    claims = [
        [each["name"], f"{each['value']:,.2f}", f"{each['goal']:,.2f}", "yes" if each["holds"] else "NO"]
        for each in report["claims"]
    ]
    parts = [
        f"### {name}\n",
        f"{_ran(report)}.\n",
        summary.markdown(["what", "items", "a second", "CPU µs each", "RSS MB"], rows) + "\n",
    ]
    if latencies := report.get("latencies"):
        waited = [
            [each["what"], f"{each['requests']:,}", f"{each['p50_ms']:,.1f}", f"{each['p99_ms']:,.1f}"]
            for each in latencies
        ]
        parts.append(summary.markdown(["what", "requests", "p50 ms", "p99 ms"], waited) + "\n")
    if claims:
        parts.append(summary.markdown(["claim", "found", "goal", "holds"], claims) + "\n")
    if report.get("curves"):
        parts.append(f"![Cost of an item by size]({name}.svg)\n")
    return "\n".join(parts)


def charts(benches: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """An SVG for each benchmark that has curves (`curves`: what, and (size, µs) pairs), by file name."""
    return {
        f"{name}.svg": growth(
            [Curve(each["what"], [tuple(point) for point in each["points"]]) for each in curves],
            report.get("over", "contacts"),
        )
        for name, report in benches.items()
        if (curves := report.get("curves"))
    }


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
