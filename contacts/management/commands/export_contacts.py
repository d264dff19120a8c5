"""`export_contacts`: contacts as CSV, TSV or JSON lines, on the standard output or into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from contacts.exporting import CSV, FORMATS, Selection, Table, export
from contacts.management.manners import HouseCommand


class Command(HouseCommand):
    help = "Write contacts as CSV, TSV or JSON lines. `import_contacts` takes the file back."
    examples = (
        "export_contacts --segment active --out active.csv",
        "export_contacts --tag vip --columns email,external_id,plan --format jsonl",
    )
    exit_codes = {1: "there is no such segment, list or tag, or the file cannot be written"}
    no_json = "prints contacts: --format jsonl has them as JSON"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--segment", default="", help="only who is in this segment")
        parser.add_argument("--list", default="", help="only who is in this list")
        parser.add_argument("--tag", default="", help="only who has this tag")
        parser.add_argument("--format", choices=[*FORMATS], default=CSV, help="default: csv")
        parser.add_argument("--columns", help="names of fields and attributes, separated by commas; all otherwise")
        parser.add_argument("--out", type=Path, help="the file to write; the standard output otherwise")
        parser.add_argument(
            "--raw", action="store_true", help="cells as they are, also those that a spreadsheet would run"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        columns = [name.strip() for name in options["columns"].split(",")] if options["columns"] else None
        pieces = export(
            Selection(options["tag"], options["list"], options["segment"]),
            Table(options["format"], columns, options["raw"]),
        )
        path: Path | None = options["out"]
        if path is None:
            for piece in pieces:
                self.stdout.write(piece, ending="")
            return
        try:
            with path.open("w", encoding="utf-8", newline="") as file:
                file.writelines(pieces)
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
