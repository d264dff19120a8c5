"""All drills in one table: what they counted in common, what was forbidden and must be zero, and how long each kind of
fault was felt. From reports as they are written (dicts), so that kept ones can be shown, too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.drills.rig.report import COUNTED, FORBIDDEN

Row = list[str]


def counts(run: Mapping[str, Any]) -> dict[str, int]:
    """What the findings of a run counted. Where two look at the same thing (requests), the greater one counts."""
    found: dict[str, int] = {}
    for finding in run["findings"]:
        for name, count in finding["counts"].items():
            found[name] = max(found.get(name, 0), count)
    return found


def books(reports: Iterable[Mapping[str, Any]]) -> tuple[Row, list[Row]]:
    """A head and a row for each run of the product (mutants apart: what they lose is their purpose)."""
    rows = []
    columns = [*COUNTED, *FORBIDDEN]
    for report in reports:
        for run in report["runs"]:
            if run["mutant"]:
                continue
            found = counts(run)
            faults = sum(each["faults"] for each in run["faults"].values())
            name = report["drill"] if run["faults"] else f"{report['drill']}, no faults"
            rows.append([name, f"{faults:,}", *(f"{found[each]:,}" if each in found else "" for each in columns)])
    used = [0, 1, *(number for number in range(2, len(columns) + 2) if any(row[number] for row in rows))]
    head = ["drill", "faults", *columns]
    return [head[number] for number in used], [[row[number] for number in used] for row in rows]


def mutants(reports: Iterable[Mapping[str, Any]]) -> tuple[Row, list[Row]]:
    """Each mutant, whether it was caught, and by which invariants."""
    rows = []
    for report in reports:
        for run in report["runs"]:
            if run["mutant"]:
                broken = [each["invariant"] for each in run["findings"] if not each["holds"]]
                by = [each for each in broken if each in run["to_catch"]]
                rows.append([report["drill"], run["mutant"], "yes" if by else "NO", "; ".join(by)])
    return ["drill", "mutant", "caught", "by"], rows


def recovery(reports: Iterable[Mapping[str, Any]]) -> tuple[Row, list[Row]]:
    """By kind of fault, over all runs of the product: how often, and how long until it was mended (the median of the
    drills' medians, and the longest)."""
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for report in reports:
        for run in report["runs"]:
            for kind, row in run["faults"].items() if not run["mutant"] else ():
                kinds.setdefault(kind, []).append(row)
    rows = []
    for kind, felt in sorted(kinds.items()):
        medians = sorted(each["mended_after_median"] for each in felt if each["mended_after_median"] is not None)
        longest = [each["mended_after_most"] for each in felt if each["mended_after_most"] is not None]
        rows.append(
            [
                kind,
                f"{sum(each['faults'] for each in felt):,}",
                f"{medians[len(medians) // 2]:.2f} s" if medians else "",
                f"{max(longest):.2f} s" if longest else "",
                f"{sum(each['never_mended'] for each in felt):,}",
            ]
        )
    return ["fault", "times", "mended after, median", "at most", "never"], rows


def text(head: Row, rows: Sequence[Row]) -> str:
    """For a terminal: the first column on the left, the others on the right."""
    widths = [max(len(row[number]) for row in [head, *rows]) for number in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not number else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [head, *rows]
    )


def markdown(head: Row, rows: Sequence[Row]) -> str:
    rule = ["---", *(["---:"] * (len(head) - 1))]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])
