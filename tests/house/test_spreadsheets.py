"""No cell of a file that the product writes is a formula to a spreadsheet (security list, 8). All CSV is written by one
door, and whoever uses it is asked here for a file full of attacks."""

from __future__ import annotations

import ast
import csv
import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from unittest import mock

import pytest
from django.conf import settings

from analytics.demo import sources
from analytics.reports import files
from analytics.reports.register import named
from contacts import clock, exporting, spreadsheets
from contacts.importing import rejects
from contacts.importing.csv_rows import BrokenLine
from contacts.models import Contact, ContactTag, ImportRun, Tag
from contacts.privacy import exporting as privacy
from delivery import suppression_lists
from delivery.models import Address, Suppression
from scoring.pages import leaderboard
from scoring.pages.ranking import Place

ROOT = Path(settings.BASE_DIR)
OURS = ("config", "contacts", "scoring", "delivery", "workflows", "analytics", "bin")
DOOR = "contacts/spreadsheets.py"
STORED = (
    "=1+1", "+SUM(A1)", "-cmd|' /C calc'!A0", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1+1", "  =1+1", '"=1+1', "' @x",
    "＝1+1", "＠SUM(A1)",
)  # fmt: skip
HOSTILE = (*STORED, "\x00=1+1")  # PostgreSQL stores no NUL


def modules() -> Iterator[tuple[str, ast.Module]]:
    for top in OURS:
        for path in sorted((ROOT / top).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def names(tree: ast.Module, of: str) -> set[str]:
    """What a module takes out of another: `of.name`, and `from … of import name`."""
    found = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == of
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[-1] == of:
            found |= {each.name for each in node.names}
    return found


def test_csv_is_written_by_one_door_and_raw_by_whoever_asks_for_it():
    writers, users, raw = set(), set(), set()
    for name, tree in modules():
        if names(tree, "csv") & {"writer", "DictWriter", "Writer", "*"}:
            writers.add(name)
        if "lines" in names(tree, "spreadsheets"):
            users.add(name)
            if any(isinstance(node, ast.keyword) and node.arg == "raw" for node in ast.walk(tree)):
                raw.add(name)
    assert writers == {DOOR}
    assert users == set(MAKERS)
    assert raw == {"contacts/exporting.py"}


def contacts(kind: str) -> str:
    attributes = {f"a{number}": cell for number, cell in enumerate(STORED)} | dict.fromkeys(STORED, "a header")
    person = Contact.objects.create(external_id=STORED[0], email="=1+1@example.com", attributes=attributes)
    for name in STORED:
        tag, _ = Tag.objects.get_or_create(name=name)
        ContactTag.objects.create(contact=person, tag=tag, added_at=clock.now())
    return "".join(exporting.export(exporting.Selection(), exporting.Table(kind)))


def everything_of_a_person() -> str:
    person = Contact.objects.create(external_id="x")
    for cell in STORED:
        Contact.objects.create(merged_into=person, external_id=f"x{cell}", phone=cell, locale=cell)
    with privacy.file(person.pk, form=privacy.ZIP, actor="=1+1") as out, zipfile.ZipFile(out) as archive:
        tables = [name for name in archive.namelist() if name.endswith(".csv")]
        assert len(tables) > 20
        return "".join(archive.read(name).decode("utf-8-sig") for name in tables)


def refused_rows() -> str:
    run = ImportRun.objects.create(name="x.csv", digest=b"x", size=1)
    rejects.keep(run.pk, [BrokenLine(line, cell, cell) for line, cell in enumerate(STORED)])
    return "".join(rejects.as_csv(run.pk))


def suppressed() -> str:
    now = clock.now()
    for cell in STORED:
        address = Address.objects.create(channel="email", key_hash=cell.encode(), shown=cell, created_at=now)
        Suppression.objects.create(address=address, scope=cell, reason="manual", source=cell, created_at=now)
    return "".join(suppression_lists.export())


def places() -> str:
    found = tuple(Place(1, Contact(external_id=each, email=each), -1.5, each, each, -0.25) for each in HOSTILE)
    return "".join(leaderboard._lines(found))


def a_report() -> str:
    rows = [(date(2026, 2, 1), cell, 3, -2.5, 0, None) for cell in HOSTILE]
    return b"".join(files.pieces(named("revenue"), rows, files.CSV)).decode()


def people_of_the_demonstration() -> str:
    people = [dict.fromkeys(sources._COLUMNS, cell) for cell in HOSTILE]
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(sources, "DATA", Path(folder)),
        mock.patch.object(sources, "_made_contacts", lambda: people),
    ):
        return sources.contacts_file(Path(folder)).read_bytes().decode()


# who writes CSV, and a file of theirs that is full of attacks
MAKERS: dict[str, Callable[[], str]] = {
    "contacts/exporting.py": lambda: contacts(exporting.CSV),
    "contacts/privacy/exporting.py": everything_of_a_person,
    "contacts/importing/rejects.py": refused_rows,
    "delivery/suppression_lists.py": suppressed,
    "scoring/pages/leaderboard.py": places,
    "analytics/reports/files.py": a_report,
    "analytics/demo/sources.py": people_of_the_demonstration,
}


@pytest.mark.django_db
@pytest.mark.parametrize("maker", MAKERS)
def test_no_cell_of_a_file_is_a_formula_and_a_number_stays_one(maker):
    text = MAKERS[maker]()
    cells = {cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row}
    attacks = HOSTILE if {"'" + HOSTILE[-1]} & cells else STORED
    lost = [cell for cell in attacks if "'" + cell not in cells and "'" + cell.rstrip("\r\n") not in cells]
    assert lost == [], "the file has to hold every attack"
    assert runs(cells) == []
    if "-1.5" in text:
        assert {"-1.5", "-0.25"} <= cells


@pytest.mark.django_db
def test_a_file_with_tabs_and_a_raw_one_that_was_asked_for():
    text = contacts(exporting.TSV)
    cells = {cell for row in csv.reader(io.StringIO(text, newline=""), delimiter="\t") for cell in row}
    assert {"'" + cell for cell in STORED} <= cells and runs(cells) == []
    assert set(runs({*spreadsheets.lines([STORED], raw=True).split(",")})), "what is wrong is seen"


def runs(cells: set[str]) -> list[str]:
    """Those that a spreadsheet would run, by words of its own: not the product's."""
    found = []
    for cell in cells:
        bare = cell.lstrip(" '\"") if not cell.startswith("'") else ""
        if bare[:1] in tuple("=+-@\t\r\n\x00＝＠") and bare and not bare[1:].replace(".", "").isdigit():
            found.append(cell)
    return found
