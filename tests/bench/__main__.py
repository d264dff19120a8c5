"""`bin/bench [name|all] [--quick]`: run benchmarks, print their tables, write var/bench/<name>.json; what ran at full
size is kept in docs/proof/."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from config.state import AlreadyRunning, State
from tests.bench import (
    api,
    delivery,
    end_to_end,
    engine,
    growth,
    harness,
    imports,
    intake,
    render,
    scoring,
    segments,
    timers,
)
from tests.drills.rig.processes import ROOT
from tests.proof import kept, page

BENCHES: dict[str, Callable[..., harness.Result]] = {
    "api": api.run,
    "delivery": delivery.run,
    "end_to_end": end_to_end.run,
    "engine": engine.run,
    "growth": growth.run,
    "imports": imports.run,
    "intake": intake.run,
    "render": render.run,
    "scoring": scoring.run,
    "segments": segments.run,
    "timers": timers.run,
}
OUTPUT = ROOT / "var" / "bench"


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/bench", description=__doc__)
    parser.add_argument("name", nargs="?", default="all", choices=[*BENCHES, "all"])
    parser.add_argument("--quick", action="store_true", help="a smaller size for a first look; marked in the JSON")
    arguments = parser.parse_args()
    try:
        State(OUTPUT).lock()
    except AlreadyRunning as error:
        print(f"Another benchmark is at work in this folder (pid {error.pid}).", file=sys.stderr)
        return 3
    for name in BENCHES if arguments.name == "all" else [arguments.name]:
        _run(name, quick=arguments.quick)
    return 0


def _run(name: str, *, quick: bool) -> None:
    directory = OUTPUT / name
    directory.mkdir(parents=True, exist_ok=True)
    result = BENCHES[name](directory, quick=quick, say=lambda line: print(line, file=sys.stderr, flush=True))
    path: Path = harness.write(OUTPUT, name, result, quick=quick)
    if not quick:
        kept.keep(kept.BENCHES, name, asdict(result))
        page.write()
    print(f"{name}{' (quick)' if quick else ''}\n{harness.table(result.rows, result.claims, result.latencies)}\n{path}")


if __name__ == "__main__":
    sys.exit(main())
