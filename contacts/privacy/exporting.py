"""Everything that the house holds of a person, for them to take along: as one JSON document, or as a ZIP with that
document and a CSV file for every table.

Written row by row from one snapshot, so a person with a million events costs no memory and nothing falls between two
tables. What every floor declared (`contacts.holdings`) is in it, of the contact and of those merged into it."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import IO, Any
from uuid import UUID

from django.db import connection, transaction

from contacts import audit, authority, clock, holdings, spreadsheets
from contacts.holdings import Holding
from contacts.privacy import deeds, family
from contacts.privacy.family import NobodyThere

FORMAT = 1
ROWS = 1000  # fetched at a time
IN_MEMORY = 1024 * 1024  # bytes; longer ones go to the disk
_PROFILE = (
    "public_id", "external_id", "email", "phone", "attributes", "timezone", "locale", "region", "owner_email",
    "frequency_cap", "created_at", "updated_at", "merged_into_id IS NOT NULL AS merged_into_another",
)  # fmt: skip
PROFILE = Holding("contacts", "Profile", _PROFILE, where="id = ANY(%(contacts)s)", contact="")
_JSONB = 3802  # PostgreSQL's number of the type, which Django has psycopg leave as text
JSON, ZIP = "application/json", "application/zip"


def write(contact_id: int, out: IO[bytes], *, form: str, actor: str) -> None:
    """Write the export of this person to a binary file and note the deed. `form`: JSON · ZIP. Begins the transaction
    itself: one snapshot for all tables. Raises NobodyThere, before a byte is written."""
    authority.require("contacts.export_contact")
    with _snapshot():
        now = clock.now()
        contact_ids = family.of(contact_id)
        if not contact_ids or family.is_erased(contact_ids[0]):
            raise NobodyThere("there is no such contact")
        tables = (PROFILE, *holdings.all_holdings())
        if form == ZIP:
            counts = _write_zip(out, tables, contact_ids, now)
        else:
            counts = _write_json(out, tables, contact_ids, now)
        deeds.note(contact_ids[0], deeds.EXPORT, actor=actor, counts=counts, now=now)
        audit.note("contact.exported", of=("contact", contact_ids[0]), after={"rows": counts})


def file(contact_id: int, *, form: str, actor: str) -> IO[bytes]:
    """The export as an open file, at its beginning, that nobody else can open and that goes when it is closed.
    Raises NobodyThere."""
    out = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  (whoever reads it closes it)
    try:
        write(contact_id, out, form=form, actor=actor)
    except BaseException:
        out.close()
        raise
    out.seek(0)
    return out


@contextmanager
def _snapshot() -> Iterator[None]:
    with transaction.atomic(), connection.cursor() as cursor:
        if len(connection.savepoint_ids) == 0:  # inside another transaction its snapshot is what there is
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '10min'")
        yield


def _write_json(out: IO[bytes], tables: Sequence[Holding], contact_ids: Sequence[int], now: datetime) -> dict[str, int]:
    counts: dict[str, int] = {}

    def say(text: str) -> None:
        out.write(text.encode())

    say(f'{{"format": {FORMAT}, "exported_at": {json.dumps(now.isoformat())}, "tables": [')
    for place, holding in enumerate(tables):
        say(",\n" if place else "\n")
        say(f'{{"table": {json.dumps(holding.table)}, "title": {json.dumps(holding.title)}, "rows": [')
        number = 0
        for names, row in _rows(holding, contact_ids):
            said = {name: _plain(value) for name, value in zip(names, row, strict=True)}
            say((",\n" if number else "\n") + json.dumps(said, ensure_ascii=False))
            number += 1
        say("]}")
        counts[holding.table] = number
    say("]}\n")
    return counts


def _write_zip(out: IO[bytes], tables: Sequence[Holding], contact_ids: Sequence[int], now: datetime) -> dict[str, int]:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for holding in tables:
            with archive.open(f"{holding.table}.csv", "w") as raw:
                _write_csv(raw, holding, contact_ids)
        with archive.open("export.json", "w") as document:
            return _write_json(document, tables, contact_ids, now)


def _write_csv(raw: IO[bytes], holding: Holding, contact_ids: Sequence[int]) -> None:
    with io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
        for number, (names, row) in enumerate(_rows(holding, contact_ids)):
            if number == 0:
                text.write(spreadsheets.lines([names]))
            text.write(spreadsheets.lines([[_cell(value) for value in row]]))


def _rows(holding: Holding, contact_ids: Sequence[int]) -> Iterator[tuple[list[str], tuple[Any, ...]]]:
    """(column names, row) of the table, by a cursor of the server's: never all of them at once."""
    connection.ensure_connection()
    with connection.connection.cursor(name="carillon_export") as cursor:
        cursor.itersize = ROWS
        cursor.execute(
            f"SELECT {', '.join(holding.columns)} FROM {holding.table} WHERE {holding.where} ORDER BY {holding.key}",
            {"contacts": list(contact_ids)},
        )
        names = [column.name for column in cursor.description]
        documents = {place for place, column in enumerate(cursor.description) if column.type_code == _JSONB}
        for row in cursor:
            yield (
                names,
                tuple(
                    json.loads(value) if place in documents and value is not None else value
                    for place, value in enumerate(row)
                ),
            )


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else _plain(value)
