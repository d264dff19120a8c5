"""Cells that a spreadsheet would run as a formula are made harmless on the way out, and come back as they were. Pure.

A cell is dangerous if, after spaces and quotes, it begins with a character that starts a formula; a number is not. It
is exported with an apostrophe before it, which spreadsheets take for "this is text". An apostrophe before a dangerous
cell is taken away by an import. So every text comes back as itself, one that had an apostrophe of its own too."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

_STARTS = frozenset("=+-@\t\r\n\x00＝＋－＠")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)*(?:[eE][+-]?[0-9]+)?%?", re.ASCII)  # telephones too
_BEFORE = " '\""
APOSTROPHE = "'"


def is_dangerous(text: str) -> bool:
    bare = text.lstrip(_BEFORE)
    return bare[:1] in _STARTS and bool(bare) and not _NUMBER.fullmatch(bare)


def safe_cell(text: str) -> str:
    return APOSTROPHE + text if is_dangerous(text) else text


def lines(rows: Iterable[Iterable[object]], *, delimiter: str = ",", raw: bool = False) -> str:
    """These rows as CSV, each with CR LF behind it; None is an empty cell. All CSV that leaves the house is written
    here, so no cell of it is dangerous, but where somebody asked for `raw` ones."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    for row in rows:
        cells = ("" if cell is None else str(cell) for cell in row)
        writer.writerow(cells if raw else map(safe_cell, cells))
    return text.getvalue()


def original(cell: str) -> str:
    """What `safe_cell` was given."""
    return cell[1:] if cell.startswith(APOSTROPHE) and is_dangerous(cell[1:]) else cell
