"""Rows that were refused, as they stood in the file, with line and reason: kept beside the run, and given back as a
file that can be mended and imported again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db import connection

from contacts import spreadsheets
from contacts.importing.csv_rows import BrokenLine

SHOWN = 1000  # of a dry run: enough to see what is wrong
READ_AT_ONCE = 1000
_LONGEST_ROW = 8 * 1024  # characters; of a longer one the beginning tells enough


def keep(run_id: int, broken: Sequence[BrokenLine], *, most: int | None = None) -> None:
    """In the caller's transaction. `most`: how many of the run are kept in all."""
    if not broken:
        return
    with connection.cursor() as cursor:
        if most is not None:
            cursor.execute("SELECT count(*) FROM import_rejects WHERE run_id = %s", [run_id])
            broken = broken[: max(0, most - cursor.fetchone()[0])]
        cursor.execute(
            "INSERT INTO import_rejects (run_id, line, reason, row) "
            "SELECT %s, line, reason, row FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS new(line, reason, row)",
            [
                run_id,
                [each.line for each in broken],
                [_storable(each.reason) for each in broken],
                [_storable(each.raw.rstrip("\r\n")[:_LONGEST_ROW]) for each in broken],
            ],
        )


def forget_all(run_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM import_rejects WHERE run_id = %s", [run_id])


def of_run(run_id: int, *, most: int | None = None) -> Iterator[BrokenLine]:
    """In the order of the file; read in pieces, so memory holds one of them."""
    last = (-1, -1)
    left = most
    while left is None or left > 0:
        size = READ_AT_ONCE if left is None else min(left, READ_AT_ONCE)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, line, reason, row FROM import_rejects WHERE run_id = %s AND (line, id) > (%s, %s) "
                "ORDER BY line, id LIMIT %s",
                [run_id, *last, size],
            )
            rows = cursor.fetchall()
        for _, line, reason, row in rows:
            yield BrokenLine(line, reason, row)
        if len(rows) < size:
            return
        last = (rows[-1][1], rows[-1][0])
        left = None if left is None else left - len(rows)


def as_csv(run_id: int) -> Iterator[str]:
    """The reject file, piece by piece: `line`, `reason`, `row`, safe to open in a spreadsheet."""
    yield spreadsheets.lines([("line", "reason", "row")])
    for each in of_run(run_id):
        yield spreadsheets.lines([(each.line, each.reason, each.raw)])


def _storable(text: str) -> str:
    """PostgreSQL stores neither U+0000 nor what was no text."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
