"""The figures of the README: a part of it, between two marks, that is made from what was kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.drills.rig import summary
from tests.drills.rig.processes import ROOT

PATH = ROOT / "README.md"
BEGIN, END = "<!-- made by bin/bench and bin/drill from docs/proof -->\n", "<!-- to here -->\n"


def text(drills: Mapping[str, Mapping[str, Any]], benches: Mapping[str, Mapping[str, Any]]) -> str:
    """Every claim beside its goal, and what the drills counted; nothing where nothing was kept."""
    parts = []
    if benches:
        rows = [
            [name, claim["name"], _short(claim["value"]), _short(claim["goal"]), "" if claim["holds"] else "FAILS"]
            for name, report in benches.items()
            for claim in report["claims"]
        ]
        if not any(row[-1] for row in rows):
            rows = [row[:-1] for row in rows]
        machine = next(iter(benches.values()))["machine"]
        parts += [
            f"`bin/bench all` on {machine['cores']} cores; ratios are of processor time in one interleaved run:\n",
            summary.markdown(["bench", "what", "found", "goal", ""][: len(rows[0])], rows) + "\n",
        ]
    if drills:
        parts += [
            "`bin/drill all`: what the product did while it was harmed. From “lost” on, every number has to be 0.\n",
            summary.markdown(*summary.books(drills.values())) + "\n",
        ]
    return "\n".join(parts)


def _short(value: float) -> str:
    """Three figures are what such a number is good for."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def put(found: str, path: Path = PATH, begin: str = BEGIN) -> None:
    """Write it between the marks. Raises ValueError where they are not there."""
    whole = path.read_text(encoding="utf-8")
    before, _, rest = whole.partition(begin)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{path.name} does not say where its figures stand")
    path.write_text(f"{before}{begin}\n{found}\n{END}{after}", encoding="utf-8")


def found_in(path: Path = PATH, begin: str = BEGIN) -> str:
    """What stands between the marks now."""
    return path.read_text(encoding="utf-8").partition(begin)[2].partition(END)[0].strip("\n") + "\n"
