"""`write_reference FOLDER`: the pages of the guides that are made from the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from config.reference import writing
from contacts.management.manners import HouseCommand


class Command(HouseCommand):
    help = "Write the reference of the guides (steps, triggers, conditions, events, API, settings, metrics, commands)."
    examples = ("write_reference var/docs/reference  # bin/docs does this before it builds the pages",)
    exit_codes = {1: "the folder cannot be written to"}
    json_of = "the names of the files as one JSON object"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("folder", type=Path, help="where the pages go; it is made if it is not there")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            written = writing.write(options["folder"])
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
        self.tell(
            {"pages": [str(path) for path in written]},
            *(str(path) for path in written),
            as_json=options["as_json"],
        )
