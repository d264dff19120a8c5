"""`bin/drill [name… | all] [--smoke [--at-once N]] [--seed N] [--broker B]`: perform drills, print their tables, write
var/drill/<name>.json; what ran at full size is kept in docs/proof/."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from config.state import AlreadyRunning, State
from tests.drills.capped_flood import CappedFlood
from tests.drills.kafka_group import KafkaGroup
from tests.drills.no_step_twice import NoStepTwice
from tests.drills.nothing_after_unsubscribe import NothingAfterUnsubscribe
from tests.drills.nothing_lost.drill import NothingLost
from tests.drills.post_office import PostOffice
from tests.drills.random_journeys import RandomJourneys
from tests.drills.rig import beside, report, summary
from tests.drills.rig.drill import Drill, perform
from tests.drills.rig.processes import ROOT
from tests.drills.rig.servers import BROKERS, Servers
from tests.drills.score_crossings.drill import ScoreCrossings
from tests.drills.timers import Timers
from tests.drills.webhook_fold.drill import WebhookFold
from tests.proof import kept, page

# In the order in which they begin. Side by side the long ones come first, and nobody has the two that are the most work
# (`nothing_lost` and `no_step_twice`) for company while it is seen how long an unsubscribe waits.
DRILLS: dict[str, Callable[[], Drill]] = {
    drill.name: drill
    for drill in (
        NothingAfterUnsubscribe,
        KafkaGroup,
        Timers,
        NothingLost,
        PostOffice,
        NoStepTwice,
        RandomJourneys,
        ScoreCrossings,
        CappedFlood,
        WebhookFold,
    )
}
OUTPUT = ROOT / "var" / "drill"


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/drill", description=__doc__)
    parser.add_argument("names", nargs="*", type=_known, metavar="name", help=f"{', '.join(DRILLS)}; all without")
    parser.add_argument("--smoke", action="store_true", help="a small form of at most 30 seconds, for CI")
    parser.add_argument("--seed", type=int, default=1, help="the same seed plans the same faults")
    parser.add_argument("--broker", choices=BROKERS, default=BROKERS[0], help="who carries the doorbells")
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="so many side by side, in their smoke form")
    # of a place beside others (rig/beside.py): where its servers, logs and figures go, and who says what is performed
    parser.add_argument("--into", type=Path, default=OUTPUT, help=argparse.SUPPRESS)
    parser.add_argument("--as-told", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.at_once < 1:
        parser.error("--at-once: expected a number from 1 on")
    if arguments.at_once > 1 and not (arguments.smoke and arguments.broker == BROKERS[0]):
        parser.error("--at-once: side by side are drills in their smoke form, with Redis as the broker")
    names = list(DRILLS) if "all" in arguments.names or not arguments.names else arguments.names
    try:
        State(arguments.into).lock()
    except AlreadyRunning as error:
        print(f"Another drill is at work in this folder (pid {error.pid}).", file=sys.stderr)
        return 3
    if arguments.as_told:
        _perform_as_told(arguments)
        return 0
    if arguments.at_once > 1:
        options = ["--smoke", "--seed", str(arguments.seed)]
        reports = beside.perform(names, at_once=arguments.at_once, options=options, output=arguments.into, say=_say)
    else:
        reports = _perform(names, arguments)
    if arguments.into == OUTPUT:
        for rows in (summary.books(reports), summary.recovery(reports), summary.mutants(reports)):
            print(f"\n{summary.text(*rows)}")
    return 0 if all(each["ok"] for each in reports) else 1


def _perform(names: Sequence[str], arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """One after the other, on one pair of servers."""
    with Servers(arguments.into / "servers", say=_say, broker=arguments.broker) as servers:
        return [_perform_one(name, servers, arguments) for name in names]


def _perform_as_told(arguments: argparse.Namespace) -> None:
    """Those whose names come, as lines; each is said again when it is over, and what it tells goes to NAME.txt."""
    with Servers(arguments.into / "servers", say=_say, broker=arguments.broker) as servers:
        for line in sys.stdin:
            name = _known(line.strip())
            with (
                (arguments.into / f"{name}.txt").open("w", encoding="utf-8") as told,
                redirect_stdout(told),
                redirect_stderr(told),
            ):
                _perform_one(name, servers, arguments)
            print(name, flush=True)


def _perform_one(name: str, servers: Servers, arguments: argparse.Namespace) -> dict[str, Any]:
    into: Path = arguments.into
    result = perform(DRILLS[name](), servers, into / name, smoke=arguments.smoke, seed=arguments.seed, say=_say)
    path = report.write(result, into)
    print(f"{report.table(result)}\n{path}", flush=True)
    as_dict = result.as_dict()
    if not arguments.smoke:
        kept.keep(kept.DRILLS, result.drill, as_dict)
        page.write()
    return as_dict


def _known(name: str) -> str:
    if name not in {*DRILLS, "all"}:
        raise argparse.ArgumentTypeError(f"there is no drill {name!r}")
    return name


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
