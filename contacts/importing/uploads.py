"""A file that somebody sent: kept in pieces, looked at, and ready to be mapped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from contacts import authority
from contacts.importing import mapping, sources
from contacts.importing.batches import open_table
from contacts.importing.csv_rows import BadHeader, Record
from contacts.importing.mapping import ColumnMap
from contacts.importing.runs import MAY_IMPORT
from contacts.importing.sniffing import Format, format_of
from contacts.importing.sources import StoredSource
from contacts.models import ImportRun

SAMPLE_ROWS = 100
LONGEST_NAME = 200


@dataclass(frozen=True)
class Preview:
    """The first rows of a file, and what its columns seem to mean. `problem`: why it cannot be read so, or empty."""

    header: list[str]
    rows: list[list[str]]
    guess: ColumnMap
    broken: int = 0
    problem: str = ""


def receive(pieces: Iterable[bytes], *, name: str, actor: str, now: datetime) -> ImportRun:
    """Keep the file in the caller's transaction. Raises sources.TooLarge; BadHeader for what is empty or no text;
    NotAllowed."""
    authority.require(MAY_IMPORT)
    name = name.replace("\x00", "")[:LONGEST_NAME] or "upload"
    run = ImportRun.objects.create(name=name, digest=b"", size=0, stored=True, actor=actor, created_at=now)
    surveyed = sources.keep(run.pk, pieces)
    if not surveyed.size:
        raise BadHeader("the file is empty")
    run.digest, run.size = surveyed.digest, surveyed.size
    run.format = {**surveyed.format.as_json(), "note": surveyed.note}
    run.save(update_fields=["digest", "size", "format"])
    return run


def preview(run: ImportRun, format: Format | None = None) -> Preview:
    """What stands at the beginning of the file, read in its own format or in this one."""
    try:
        table = open_table(StoredSource(run.pk), format or format_of(run.format))
    except BadHeader as error:
        return Preview([], [], ColumnMap({}), problem=str(error))
    found = table.batch(SAMPLE_ROWS) or []
    rows = [each.cells for each in found if isinstance(each, Record)]
    return Preview(table.header, rows, mapping.guess(table.header, rows), broken=len(found) - len(rows))
