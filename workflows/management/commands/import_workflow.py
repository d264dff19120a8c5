"""Read a definition file into a draft."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from contacts import clock
from workflows import importing
from workflows.definition import reading
from workflows.publishing import CannotPublish


class Command(BaseCommand):
    help = "Store a workflow definition (YAML or JSON) as a draft, with the templates that stand in the file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--publish", action="store_true", help="publish it when it has no errors")

    def handle(self, *args: Any, file: Path, publish: bool, **options: Any) -> None:
        try:
            document = reading.read(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise CommandError(f"cannot read {file}: {error.strerror}") from error
        except (reading.UnreadableFile, UnicodeDecodeError) as error:
            raise CommandError(f"{file} is neither YAML nor JSON: {error}") from error
        try:
            imported = importing.import_document(document, by="import_workflow", publish=publish, now=clock.now())
        except importing.BadDocument as error:
            raise CommandError(f"{file}: {error}") from error
        except CannotPublish as error:
            for problem in error.problems:
                self.stderr.write(
                    f"{problem.severity}: {problem.step or 'workflow'}: {problem.field}: {problem.message}"
                )
            raise CommandError(f"{file}: not published; it is stored as a draft") from error
        for problem in imported.problems:
            self.stderr.write(f"{problem.severity}: {problem.step or 'workflow'}: {problem.field}: {problem.message}")
        state = f"published as version {imported.version}" if imported.version else "stored as a draft"
        self.stdout.write(f"{imported.slug}: {state}")
