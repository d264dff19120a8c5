"""What docs/proof/ shows was found by the drills and benchmarks, at full size, and not written by hand."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.bench.__main__ import BENCHES
from tests.drills.__main__ import DRILLS
from tests.drills.rig import summary
from tests.drills.rig.report import Finding
from tests.proof import kept, page, readme
from tests.proof.chart import Curve, growth

MACHINE = {"cores": 2, "cpu": "a processor", "memory_gb": 24.0, "python": "3.11.7", "load_before": 0.1}
FINDING = {
    "invariant": "nothing is lost", "holds": True, "figures": {"acknowledged": 80_000}, "examples": [],
    "counts": {"acknowledged": 80_000, "lost": 0},
}  # fmt: skip
FAULTS = {"worker": {"faults": 60, "mended_after_median": 1.5, "mended_after_most": 4.0, "never_mended": 0}}
PRODUCT = {"mutant": "", "seconds": 300.0, "findings": [FINDING], "faults": FAULTS, "to_catch": []}
MUTANT = {
    "mutant": "forgets", "seconds": 9.0, "faults": {}, "to_catch": ["nothing is lost"],
    "findings": [FINDING | {"holds": False, "counts": {"lost": 17}}],
}  # fmt: skip
DRILL: dict[str, Any] = {"drill": "nothing_lost", "seed": 1, "machine": MACHINE, "runs": [PRODUCT, MUTANT]}
BENCH: dict[str, Any] = {
    "machine": MACHINE,
    "rows": [{"what": "ours", "items": 1000, "per_second": 2000.0, "cpu_us": 41.5, "rss_mb": 90.0}],
    "claims": [{"name": "cost stays", "value": 1.2, "goal": 1.0, "holds": True}],
    "curves": [{"what": "an event", "points": [[1_000, 40.0], [1_000_000, 44.0]]}],
}


def test_the_page_and_the_charts_are_those_that_are_made_from_what_was_kept():
    drills, benches = kept.load(kept.DRILLS), kept.load(kept.BENCHES)
    assert (kept.FOLDER / "index.md").read_text(encoding="utf-8") == page.text(drills, benches)
    for name, drawing in page.charts(benches).items():
        assert (kept.FOLDER / name).read_text(encoding="utf-8") == drawing
    made = {"index.md", *page.charts(benches), *(f"drills/{name}.json" for name in drills)}
    made |= {f"benches/{name}.json" for name in benches}
    there = {str(path.relative_to(kept.FOLDER)) for path in kept.FOLDER.rglob("*") if path.is_file()}
    assert there == made
    assert {name.removesuffix("_rabbitmq") for name in drills} <= DRILLS.keys() and benches.keys() <= BENCHES.keys()


def test_the_figures_of_the_readme_are_those_that_were_kept():
    drills, benches = kept.load(kept.DRILLS), kept.load(kept.BENCHES)
    assert readme.found_in() == readme.text(drills, benches).strip("\n") + "\n"


def test_a_figure_that_was_changed_by_hand_or_fails_is_seen(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(f"# Carillon\n\n{readme.BEGIN}old\n{readme.END}\n## Read on\n", encoding="utf-8")
    failing = BENCH | {
        "claims": [*BENCH["claims"], {"name": "events", "value": 40_000.0, "goal": 50_000, "holds": False}]
    }
    readme.put(readme.text({"nothing_lost": DRILL}, {"growth": failing}), path)
    shown = path.read_text(encoding="utf-8")
    for line in (
        "| growth | cost stays | 1.2 | 1 |  |",
        "| growth | events | 40,000 | 50,000 | FAILS |",
        "| nothing_lost | 60 | 80,000 | 0 |",
    ):
        assert line in shown
    assert shown.startswith("# Carillon\n\n<!--") and shown.endswith("-->\n\n## Read on\n")
    assert readme.found_in(path) == readme.text({"nothing_lost": DRILL}, {"growth": failing})
    path.write_text(shown.replace("80,000", "90,000"), encoding="utf-8")
    assert readme.found_in(path) != readme.text({"nothing_lost": DRILL}, {"growth": failing})
    path.write_text("# Carillon\n", encoding="utf-8")
    with pytest.raises(ValueError, match="where its figures stand"):
        readme.put("", path)


def test_what_is_kept_says_its_commit_and_its_day_and_is_shown(tmp_path):
    kept.keep(kept.DRILLS, "nothing_lost", DRILL, tmp_path)
    kept.keep(kept.BENCHES, "growth", BENCH, tmp_path)
    found = json.loads((tmp_path / "drills" / "nothing_lost.json").read_text())
    assert found["commit"] == kept.commit() and len(found["day"]) == len("2026-11-23")
    page.write(tmp_path)
    shown = (tmp_path / "index.md").read_text()
    for line in (
        "| drill | faults | acknowledged | lost |",
        "| nothing_lost | 60 | 80,000 | 0 |",
        "| worker | 60 | 1.50 s | 4.00 s | 0 |",
        "| nothing_lost | forgets | yes | nothing is lost |",
        "- nothing is lost: acknowledged 80,000",
        "| ours | 1,000 | 2,000 | 41.5 | 90 |",
        "| cost stays | 1.20 | 1.00 | yes |",
        "![Cost of an item by size](growth.svg)",
    ):
        assert line in shown
    assert (tmp_path / "growth.svg").exists()


def test_how_long_requests_were_waited_for_and_what_a_chart_is_about_are_shown():
    waited = {"what": "one contact", "requests": 1800, "p50_ms": 5.25, "p99_ms": 12.0}
    bench = BENCH | {"day": "2026-11-23", "commit": "abc", "latencies": [waited], "over": "contacts <before> it"}
    shown = page.text({}, {"api": bench})
    assert "| what | requests | p50 ms | p99 ms |" in shown and "| one contact | 1,800 | 5.2 | 12.0 |" in shown
    (drawn,) = page.charts({"api": bench}).values()
    assert drawn.count("contacts &lt;before&gt; it") == 2


def test_a_mutant_that_nobody_caught_and_a_promise_that_broke_are_said():
    missed = MUTANT | {"findings": [FINDING]}
    broken = PRODUCT | {"findings": [FINDING | {"holds": False, "counts": {"lost": 2}}]}
    drill = DRILL | {"runs": [broken, missed], "day": "2026-11-23", "commit": "abc"}
    shown = page.text({"nothing_lost": drill}, {})
    assert "| nothing_lost | forgets | NO |" in shown and "**VIOLATED** nothing is lost" in shown
    assert summary.books([drill]) == (["drill", "faults", "lost"], [["nothing_lost", "60", "2"]])


def test_the_chart_is_whole_and_no_name_lies_upon_another():
    curves = [Curve(f"<{name}>", [(1_000, 50.0), (10_000, 51.0), (1_000_000, 52.0)]) for name in "abcd"]
    drawn = ElementTree.fromstring(growth(curves))
    names = [each for each in drawn.iter("{http://www.w3.org/2000/svg}text") if "µs" in (each.text or "")]
    places = sorted(float(each.attrib["y"]) for each in names)
    assert len(places) == 4 and all(b - a >= 14 for a, b in pairwise(places))


def test_a_cost_that_grows_a_hundredfold_has_no_more_lines_than_one_can_read():
    drawn = ElementTree.fromstring(growth([Curve("by number", [(1, 2.0), (1_000_000, 640.0)])]))
    lines = [each for each in drawn.iter("{http://www.w3.org/2000/svg}line") if each.attrib["class"] == "grid"]
    assert 5 < len(lines) < 25


def test_a_count_that_no_other_drill_counts_is_refused():
    with pytest.raises(ValueError, match="nobody else counts misplaced"):
        Finding("it holds", holds=True, counts={"misplaced": 1})
