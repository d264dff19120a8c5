"""`manage.py rebuild_tallies`: count what became of messages again, from the facts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from contacts.management.manners import HouseCommand
from contacts.progress import elapsing
from delivery import recounting


class Command(HouseCommand):
    help = "Recounts the figures of the deliverability page from send log and feedback, and puts right what is wrong."
    examples = (
        "rebuild_tallies --dry-run  # compare only",
        "rebuild_tallies  # compare, and put right what is wrong",
    )
    exit_codes = {1: "--check found a figure that is wrong"}
    json_of = "the differences as one JSON object"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--check", "--dry-run", action="store_true", dest="check", help="compare only; exit code 1 if one is wrong"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with elapsing(self.stderr, "counting send log and feedback"):
            found = recounting.compare() if options["check"] else recounting.mend()
        if options["as_json"]:
            self.tell({"wrong": [asdict(wrong) for wrong in found], "mended": not options["check"]}, as_json=True)
            if found and options["check"]:
                raise SystemExit(1)
            return
        for wrong in found:
            named = (wrong.day, wrong.channel, wrong.provider, wrong.message_class, wrong.what, wrong.reason)
            where = " ".join(str(part) for part in named if part)
            self.stdout.write(f"{where}: counted {wrong.counted}, the facts say {wrong.facts}")
        if not found:
            self.stdout.write("All tallies are right.")
        elif options["check"]:
            raise SystemExit(1)
        else:
            self.stdout.write(f"{len(found)} tallies were wrong and are right now.")
