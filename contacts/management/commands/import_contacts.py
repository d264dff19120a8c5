"""`import_contacts FILE`: a file of delimited text whose first row names the columns."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from contacts import transactions
from contacts.garbage import collect_seldom
from contacts.importing import dry, mapping, presets, reading, rejects, runs, sources
from contacts.importing.batches import Batch, Batches, ahead, in_a_hurry, open_table
from contacts.importing.bulk import Options, Stored
from contacts.importing.csv_rows import BadHeader
from contacts.importing.mapping import ColumnMap
from contacts.importing.shape import EXISTING, UPDATE
from contacts.importing.sniffing import Format, format_of
from contacts.importing.sources import FileSource
from contacts.management.manners import HouseCommand
from contacts.models import ImportRun
from contacts.progress import Progress


class Command(HouseCommand):
    help = (
        "Create or complete contacts from a file: CSV, TSV and the like, UTF-8, UTF-16 or Windows-1252. external_id, "
        "email, phone, timezone, locale, region, owner_email and created_at are fields, tags and lists are words; "
        "consent_marketing and consent_tracking are true or false; every other column becomes an attribute, unless a "
        "mapping says otherwise. The same file again changes nothing, and goes on where it was interrupted."
    )
    examples = (
        "import_contacts people.csv --dry-run  # what would be created and changed, and which rows would be refused",
        "import_contacts people.csv --tag spring-fair --rejects refused.csv",
        "import_contacts people.tsv --delimiter tab --existing skip --json",
    )
    exit_codes = {0: "the file was read to its end; refused rows stand on standard error"}
    json_of = "the counts as one JSON object"
    dry_run = "read and check every row, write nothing"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="delimited text whose first row names the columns")
        parser.add_argument("--delimiter", help="what stands between cells, `tab` for a tabulator; guessed otherwise")
        parser.add_argument("--encoding", choices=[*reading.CODECS], help="guessed otherwise")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--mapping", type=Path, help='JSON: {"columns": {"E-mail": {"to": "email"}}, "key": "email"}')
        how.add_argument("--preset", help="the name of a mapping that was saved in the admin")
        parser.add_argument("--existing", choices=[*EXISTING], default=UPDATE, help="what to do with known people")
        parser.add_argument("--list", action="append", default=[], help="a list that everybody joins")
        parser.add_argument("--tag", action="append", default=[], help="a tag that everybody gets")
        parser.add_argument("--rejects", type=Path, help="write the refused rows here, with line and reason")
        parser.add_argument(
            "--resume", action="store_true", help="only go on with an import of this file that was interrupted"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        collect_seldom()
        self._json = options["as_json"]
        path: Path = options["file"]
        try:
            with in_a_hurry():
                self._import(path, options)
        except OSError as error:
            # a pipe has no words of the system for it
            reason = error.strerror or "must be a file: it is read more than once"
            raise CommandError(f"{error.filename or path}: {reason}") from error
        except (BadHeader, ValueError) as error:
            raise CommandError(f"{path}: {error}") from error

    def _import(self, path: Path, options: dict[str, Any]) -> None:
        surveyed = sources.survey(path)
        format = _format(surveyed.format, options)
        if surveyed.note and not options["encoding"]:
            self.stderr.write(surveyed.note)
        plan = _mapping(path, format, options)
        rules = Options(options["existing"], tuple(options["tag"]), tuple(options["list"]))
        lists = runs.known_lists()
        if unknown := sorted(set(rules.lists) - lists):
            raise CommandError(f"there is no list {unknown[0]!r}")
        if options["dry_run"]:
            self._try(Batches(FileSource(path), format, plan, lists=lists), rules, surveyed.size)
            return
        run = transactions.run(
            lambda now: runs.begin(
                name=path.name,
                digest=surveyed.digest,
                size=surveyed.size,
                format=format,
                mapping=plan,
                options=rules,
                actor="import_contacts",
                now=now,
                only_unfinished=options["resume"],
            )
        )
        if run.position:
            self.stderr.write(f"going on after line {run.line:,}")
        self._work_off(
            run,
            Batches(FileSource(path), format, plan, lists=lists, position=run.position, line=run.line, copies=True),
            rules,
        )
        if options["rejects"]:
            with options["rejects"].open("w", encoding="utf-8", newline="") as file:
                file.writelines(rejects.as_csv(run.pk))
        self._conclude(ImportRun.objects.get(pk=run.pk))

    def _work_off(self, run: ImportRun, batches: Batches, rules: Options) -> None:
        progress, refused = Progress(self.stderr), run.refused
        for batch in ahead(lambda: iter(batches)):
            began = time.monotonic()
            done = runs.commit(run.pk, batch, rules)
            batches.took(time.monotonic() - began, new=runs.share_of_new(batch, done))
            if done is None:
                progress.clear()
                raise CommandError("somebody stopped this import, or another process is at work on it")
            refused += len(done.refused)
            self._show(progress, batch, run.size, done, refused)
        progress.clear()
        runs.finish(run.pk)

    def _try(self, batches: Batches, rules: Options, size: int) -> None:
        progress, total = Progress(self.stderr), Stored()
        for batch in batches:
            done = _foreseen(batch, rules)
            total.add(done)
            self._show(progress, batch, size, done, len(total.refused))
        progress.clear()
        refused = f", {len(total.refused):,} refused" if total.refused else ""
        counts = {"created": total.created, "updated": total.updated, "unchanged": total.unchanged}
        self.tell(
            {"dry_run": True, **counts, "refused": len(total.refused)},
            f"nothing written; every other row can be imported{refused}: {total.created:,} would be created, "
            f"{total.updated:,} updated, {total.unchanged:,} unchanged",
            as_json=self._json,
        )

    def _show(self, progress: Progress, batch: Batch, size: int, done: Stored, refused: int) -> None:
        if done.refused:
            progress.clear()
        for row in done.refused:
            self.stderr.write(f"line {row.line}: {row.reason}")
        progress.show(batch.end, size, f"line {batch.line:,}, {refused:,} refused")

    def _conclude(self, run: ImportRun) -> None:
        repeated = f", {run.repeated:,} repeated" if run.repeated else ""
        refused = f", {run.refused:,} refused" if run.refused else ""
        counts = {name: getattr(run, name) for name in ("created", "updated", "unchanged", "repeated", "refused")}
        self.tell(
            {"dry_run": False, **counts},
            f"{run.created:,} created, {run.updated:,} updated, {run.unchanged:,} unchanged{repeated}{refused}",
            as_json=self._json,
        )


def _format(guessed: Format, options: dict[str, Any]) -> Format:
    said = {name: options[name] for name in ("encoding", "delimiter") if options[name]}
    if said.get("delimiter") in {"tab", "\\t"}:
        said["delimiter"] = "\t"
    return format_of({**guessed.as_json(), **said})


def _mapping(path: Path, format: Format, options: dict[str, Any]) -> ColumnMap:
    if options["mapping"]:
        return mapping.mapping_of(json.loads(options["mapping"].read_text(encoding="utf-8")))
    if options["preset"]:
        return presets.find(options["preset"])
    return mapping.by_name(open_table(FileSource(path), format).header)


def _foreseen(batch: Batch, rules: Options) -> Stored:
    done = transactions.run(lambda now: dry.foresee(batch.rows, options=rules, now=now))
    done.refused = sorted([*batch.refused, *done.refused])
    return done
