"""`import_contacts FILE`: a CSV file whose first row names the columns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser

from contacts import csv_rows, importing, transactions
from contacts.csv_rows import BadHeader, BrokenLine
from contacts.importing import Imported, Row
from contacts.progress import Progress


class Command(BaseCommand):
    help = (
        "Create or complete contacts from a CSV file (UTF-8). external_id, email, phone, timezone, locale, region, "
        "owner_email and created_at are fields; consent_marketing and consent_tracking are true or false; every other "
        "column becomes an attribute. The same file again changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="read and check every row, write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            size = path.stat().st_size
            with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
                total = self._import(file, size, write=not options["dry_run"])
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        except BadHeader as error:
            raise CommandError(f"{path}: {error}") from error
        refused = f", {len(total.refused):,} refused" if total.refused else ""
        if options["dry_run"]:
            self.stdout.write(f"nothing written; every other row can be imported{refused}")
            return
        self.stdout.write(
            f"{total.created:,} created, {total.updated:,} updated, {total.unchanged:,} unchanged{refused}"
        )

    def _import(self, file: TextIO, size: int, *, write: bool) -> Imported:
        total = Imported()
        progress = Progress(self.stderr)
        rows = _people(file)
        read = 0
        while batch := list(islice(rows, importing.BATCH)):
            read += len(batch)
            understood = [row for row in batch if isinstance(row, Row)]
            done = Imported(refused=[row for row in batch if isinstance(row, BrokenLine)])
            if write and understood:
                done.add(_commit(understood))
            total.add(done)
            if done.refused:
                progress.clear()
            for row in sorted(done.refused, key=lambda row: row.line):
                self.stderr.write(f"line {row.line}: {row.reason}")
            progress.show(file.buffer.tell(), size, f"{read:,} rows, {len(total.refused):,} refused")
        progress.clear()
        return total


def _people(file: TextIO) -> Iterator[Row | BrokenLine]:
    for row in csv_rows.read(csv_rows.lines_of(file), check_header=importing.check_columns):
        yield row if isinstance(row, BrokenLine) else importing.understand(row)


def _commit(rows: list[Row]) -> Imported:
    return transactions.run(lambda now: importing.import_people(rows, source="import", now=now))
