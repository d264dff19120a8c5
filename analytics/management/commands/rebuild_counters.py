"""`manage.py rebuild_counters`: count everything again from the facts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from analytics.counting import rebuild
from contacts.management.manners import HouseCommand
from contacts.progress import elapsing


class Command(HouseCommand):
    help = (
        "Recounts every counter from enrolments, journal, send log and feedback, says which were wrong, and puts the "
        "recount in their place."
    )
    examples = (
        "rebuild_counters --dry-run  # compare only",
        "rebuild_counters  # compare, and take the recount",
    )
    exit_codes = {1: "--check found a counter that is wrong"}
    json_of = "the differences as one JSON object"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--check", "--dry-run", action="store_true", dest="check", help="compare only; exit code 1 if one is wrong"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with elapsing(self.stderr, "counting all facts"):
            found = rebuild.compare() if options["check"] else rebuild.replace()
        if options["as_json"]:
            self.tell(asdict(found), as_json=True)
            if found.differences and options["check"]:
                raise SystemExit(1)
            return
        for wrong in found.differences:
            self.stdout.write(wrong.said)
        if not found.differences:
            self.stdout.write(f"All counters are right: {found.facts} counted.")
        elif options["check"]:
            raise SystemExit(1)
        else:
            self.stdout.write(f"{len(found.differences)} counters were wrong and are right now.")
