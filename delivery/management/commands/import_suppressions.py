"""`manage.py import_suppressions FILE`: suppress every address of a list."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from delivery import suppression_lists
from delivery.suppression_lists import TakenIn

TOLD_EVERY = 10_000  # rows


class Command(BaseCommand):
    help = (
        "Suppresses the addresses of a CSV file (UTF-8) with a column address, and reason and scope if there are any."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with options["file"].open(encoding="utf-8-sig", newline="") as lines:
                taken = suppression_lists.take_in(lines, source="import", tell=self._tell)
        except (OSError, UnicodeDecodeError, suppression_lists.BadList) as error:
            raise CommandError(str(error)) from error
        for line, why in taken.faults:
            self.stderr.write(f"line {line}: {why}")
        self.stdout.write(f"{taken.rows} rows: {taken.added} new, {taken.standing} known, {taken.refused} refused")

    def _tell(self, taken: TakenIn) -> None:
        if self.stdout.isatty():
            self.stdout.write(f"\r{taken.rows:,} rows", ending="")
            self.stdout.flush()
        elif taken.rows % TOLD_EVERY == 0:
            self.stdout.write(f"{taken.rows} rows")
