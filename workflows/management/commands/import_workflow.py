"""Read a definition file into a draft."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from contacts import clock, transactions
from contacts.management.manners import HouseCommand
from workflows import importing
from workflows.definition import reading
from workflows.publishing import CannotPublish


class Command(HouseCommand):
    help = "Store a workflow definition (YAML or JSON) as a draft, with the templates that stand in the file."
    examples = (
        "import_workflow workflows/samples/first-order.yaml --dry-run  # its problems, and nothing stored",
        "import_workflow workflows/samples/first-order.yaml --publish",
        "import_workflow journey.json --json",
    )
    exit_codes = {1: "the file is no definition, or --publish was refused and it is stored as a draft"}
    json_of = "slug, version and problems as one JSON object"
    dry_run = "check the file as it would be stored (and published), and store nothing"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="a definition, alone or with its templates and tests")
        parser.add_argument("--publish", action="store_true", help="publish it when it has no errors")

    def handle(self, *args: Any, file: Path, publish: bool, **options: Any) -> None:
        try:
            document = reading.read(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise CommandError(f"cannot read {file}: {error.strerror}") from error
        except (reading.UnreadableFile, UnicodeDecodeError) as error:
            raise CommandError(f"{file} is neither YAML nor JSON: {error}") from error
        try:
            imported = self._import(document, publish=publish, dry=options["dry_run"])
        except importing.BadDocument as error:
            raise CommandError(f"{file}: {error}") from error
        except CannotPublish as error:
            for problem in error.problems:
                self.stderr.write(
                    f"{problem.severity}: {problem.step or 'workflow'}: {problem.field}: {problem.message}"
                )
            raise CommandError(
                f"{file}: not published; {'nothing was stored' if options['dry_run'] else 'it is stored as a draft'}"
            ) from error
        if options["as_json"]:
            told = [problem.as_dict() for problem in imported.problems]
            stored = not options["dry_run"]
            result = {"slug": imported.slug, "version": imported.version, "problems": told, "stored": stored}
            self.tell(result, as_json=True)
            return
        for problem in imported.problems:
            self.stderr.write(f"{problem.severity}: {problem.step or 'workflow'}: {problem.field}: {problem.message}")
        state = f"published as version {imported.version}" if imported.version else "stored as a draft"
        if options["dry_run"]:
            state = "nothing stored; it could be published" if publish else "nothing stored; it could be"
        self.stdout.write(f"{imported.slug}: {state}")

    def _import(self, document: Any, *, publish: bool, dry: bool) -> importing.Imported:
        bring = partial(importing.import_document, document, by="import_workflow", publish=publish)
        return transactions.try_out(lambda now: bring(now=now)) if dry else bring(now=clock.now())
