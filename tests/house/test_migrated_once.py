"""A copied database is what was migrated, and of no other state of the program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.backends.postgresql.creation import DatabaseCreation

from tests import migrated_once

MADE = ("test_migrated_first", "test_migrated_second")
KEPT = "test_migrated_copies_"


@contextmanager
def linked(database: str = "postgres") -> Iterator[psycopg.Cursor]:
    own = connection.settings_dict
    credentials = {"host": own["HOST"], "port": own["PORT"], "user": own["USER"], "password": own["PASSWORD"]}
    with psycopg.connect(dbname=database, autocommit=True, **credentials) as link, link.cursor() as cursor:
        yield cursor


def server(statement: str, *, database: str = "postgres") -> list[Any]:
    with linked(database) as cursor:
        cursor.execute(statement)
        return [value for (value,) in cursor.fetchall()] if cursor.description else []


def kept() -> set[str]:
    return set(server(f"SELECT datname FROM pg_database WHERE starts_with(datname, '{KEPT}')"))


@pytest.fixture
def migrated(monkeypatch) -> Iterator[list[str]]:
    """What was migrated from nothing, while databases are made of one table by a Django of our own."""
    migrated = []

    def create_test_db(self: DatabaseCreation, name: str) -> str:
        template = self.connection.settings_dict["TEST"].get("TEMPLATE")
        server(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
        if not template:
            migrated.append(name)
            server("CREATE TABLE migrated AS SELECT 7 AS answer", database=name)
        return name

    monkeypatch.setattr(DatabaseCreation, "create_test_db", create_test_db)
    monkeypatch.setattr(DatabaseCreation, "_nodb_cursor", lambda self: linked())
    monkeypatch.setattr(migrated_once, "PREFIX", KEPT)
    monkeypatch.setattr(migrated_once, "LOCK", migrated_once.LOCK + 1)
    monkeypatch.setitem(connection.settings_dict, "TEST", {**connection.settings_dict["TEST"], "TEMPLATE": None})
    clear()
    yield migrated
    clear()


def clear() -> None:
    for name in {*MADE, *kept()}:
        server(f'DROP DATABASE IF EXISTS "{name}"')


@pytest.mark.django_db(transaction=True)
def test_the_second_database_is_a_copy_of_the_first(migrated):
    with migrated_once.copying():
        for name in MADE:
            assert DatabaseCreation(connection).create_test_db(name) == name
            assert server("SELECT answer FROM migrated", database=name) == [7]
    assert migrated == [MADE[0]]
    assert kept() == {migrated_once.template().replace(migrated_once.PREFIX, KEPT)}


@pytest.mark.django_db(transaction=True)
def test_what_another_state_of_the_program_migrated_is_not_copied_and_goes(migrated, monkeypatch):
    with migrated_once.copying():
        monkeypatch.setattr(migrated_once, "template", lambda: f"{KEPT}before")
        DatabaseCreation(connection).create_test_db(MADE[0])
        monkeypatch.setattr(migrated_once, "template", lambda: f"{KEPT}after")
        DatabaseCreation(connection).create_test_db(MADE[1])
    assert migrated == list(MADE)
    assert kept() == {f"{KEPT}after"}


def test_a_changed_line_of_the_program_is_another_state_of_it(tmp_path, settings, monkeypatch):
    class App:
        path = str(tmp_path / "contacts")

    (tmp_path / "contacts" / "migrations").mkdir(parents=True)
    (tmp_path / "requirements.txt").write_text("django==5.2\n")
    settings.BASE_DIR = tmp_path
    monkeypatch.setattr(migrated_once.apps, "get_app_configs", lambda: [App()])
    names = {migrated_once.template(), migrated_once.template()}
    for changed, text in (
        ("contacts/migrations/0001_initial.py", "operations = []"),
        ("contacts/migrations/0001_initial.py", "operations = [1]"),
        ("contacts/partitions.py", ""),
        ("requirements.txt", "django==5.3\n"),
    ):
        (tmp_path / changed).write_text(text)
        names.add(migrated_once.template())
    assert len(names) == 5
