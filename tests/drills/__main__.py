"""`bin/drill [name|all] [--smoke] [--seed N]`: perform drills, print their tables, write var/drill/<name>.json."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from config.state import AlreadyRunning, State
from tests.drills.capped_flood import CappedFlood
from tests.drills.no_step_twice import NoStepTwice
from tests.drills.nothing_after_unsubscribe import NothingAfterUnsubscribe
from tests.drills.post_office import PostOffice
from tests.drills.random_journeys import RandomJourneys
from tests.drills.rig import report
from tests.drills.rig.drill import Drill, perform
from tests.drills.rig.processes import ROOT
from tests.drills.score_crossings.drill import ScoreCrossings

DRILLS: dict[str, Callable[[], Drill]] = {
    drill.name: drill
    for drill in (NoStepTwice, NothingAfterUnsubscribe, PostOffice, CappedFlood, RandomJourneys, ScoreCrossings)
}
OUTPUT = ROOT / "var" / "drill"


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/drill", description=__doc__)
    parser.add_argument("name", nargs="?", default="all", choices=[*DRILLS, "all"])
    parser.add_argument("--smoke", action="store_true", help="a small form of at most 30 seconds, for CI")
    parser.add_argument("--seed", type=int, default=1, help="the same seed plans the same faults")
    arguments = parser.parse_args()
    try:
        State(OUTPUT).lock()
    except AlreadyRunning as error:
        print(f"Another drill is at work in this folder (pid {error.pid}).", file=sys.stderr)
        return 3
    well = True
    for name in DRILLS if arguments.name == "all" else [arguments.name]:
        result = perform(DRILLS[name](), OUTPUT / name, smoke=arguments.smoke, seed=arguments.seed, say=_say)
        path = report.write(result, OUTPUT)
        print(f"{report.table(result)}\n{path}", flush=True)
        well = well and result.is_well
    return 0 if well else 1


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
