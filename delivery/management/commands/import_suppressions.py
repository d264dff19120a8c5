"""`manage.py import_suppressions FILE`: suppress every address of a list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from contacts.management.manners import HouseCommand
from delivery import suppression_lists
from delivery.suppression_lists import TakenIn

TOLD_EVERY = 10_000  # rows


class Command(HouseCommand):
    help = (
        "Suppresses the addresses of a CSV file (UTF-8) with a column address, and reason and scope if there are any."
    )
    examples = (
        "import_suppressions unsubscribed.csv --dry-run  # what would be taken, and which rows would not",
        "import_suppressions unsubscribed.csv",
        "import_suppressions bounces.csv --json  # counts and faults as JSON",
    )
    exit_codes = {0: "the file was read to its end; refused rows stand on standard error"}
    json_of = "one JSON object: counts, reasons and faults by line"
    dry_run = "read and check every row, store nothing"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="the list, with the names of its columns in the first line")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with options["file"].open(encoding="utf-8-sig", newline="") as lines:
                taken = suppression_lists.take_in(lines, source="import", tell=self._tell, dry=options["dry_run"])
        except (OSError, UnicodeDecodeError, suppression_lists.BadList) as error:
            raise CommandError(str(error)) from error
        if options["as_json"]:
            result = vars(taken) | {"standing": taken.standing, "dry_run": options["dry_run"]}
            self.tell(result, as_json=True)
            return
        for line, why in taken.faults:
            self.stderr.write(f"line {line}: {why}")
        would = "nothing stored; " if options["dry_run"] else ""
        self.stdout.write(
            f"{would}{taken.rows} rows: {taken.added} new, {taken.standing} known, {taken.refused} refused"
        )

    def _tell(self, taken: TakenIn) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{taken.rows:,} rows", ending="")
            self.stderr.flush()
        elif taken.rows % TOLD_EVERY == 0:
            self.stderr.write(f"{taken.rows} rows")
