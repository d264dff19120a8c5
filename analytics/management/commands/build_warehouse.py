"""`manage.py build_warehouse`: have dbt build the marts out of the facts."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from analytics.warehouse import building, runs
from contacts import clock
from contacts.management.manners import HouseCommand
from contacts.progress import Progress


class Command(HouseCommand):
    help = "Builds the warehouse's models out of the facts, and runs their tests."
    examples = (
        "build_warehouse  # what is new since the last build",
        "build_warehouse --full-refresh --json  # everything anew, after a restored backup",
    )
    exit_codes = {1: "a model or a test failed, dbt is not installed, or a build is under way"}
    json_of = "the number of the run as one JSON object"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--full-refresh", action="store_true", help="make incremental models anew")
        parser.add_argument("--run", type=int, help="do a run that was asked for already")

    def handle(self, *args: Any, **options: Any) -> None:
        run_id = options["run"]
        if run_id is None:
            try:
                kind = "full_refresh" if options["full_refresh"] else "by_hand"
                run_id = runs.ask(kind, now=clock.now(), by="command line")
            except runs.RunInProgress as error:
                raise CommandError(f"The warehouse is being built already ({error}).") from error
        progress = Progress(self.stderr)
        problem = building.work(run_id, say=progress.show)
        progress.clear()
        if problem:
            raise CommandError(problem)
        self.tell({"run": run_id, "built": True}, "The warehouse is built.", as_json=options["as_json"])
