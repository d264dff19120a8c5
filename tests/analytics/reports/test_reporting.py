"""The views for other people's tools, and the role that reads them and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from analytics.reporting import installing, reader, views
from contacts import clock
from tests.analytics.reports import marts

PASSWORD = "a long password of a test"


def ask(statement: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_every_view_is_there_with_its_columns_types_and_words(db):
    found = ask(
        "SELECT c.relname, a.attname, format_type(a.atttypid, NULL), col_description(c.oid, a.attnum)"
        "  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE c.relnamespace = 'reporting'::regnamespace AND c.relkind = 'v' ORDER BY c.relname, a.attnum"
    )
    named = {"timestamptz": "timestamp with time zone"}
    wanted = [
        (view.name, column, named.get(kind, kind), about)
        for view in sorted(views.VIEWS, key=lambda view: view.name)
        for column, (kind, about) in view.columns.items()
    ]
    assert found == wanted


def test_no_view_has_a_column_about_a_person(db):
    personal = {"contact_id", "email", "phone", "external_id", "first_name", "last_name", "to_address", "message_id"}
    assert not personal & {column for view in views.VIEWS for column in view.columns}


def test_a_view_outlives_a_build_that_replaces_its_mart(built):
    assert ask("SELECT stage, ever FROM reporting.funnel WHERE place = 1") == [("subscriber", 100)]
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE marts.funnel_new AS SELECT * FROM marts.funnel WHERE place = 2")
        cursor.execute("DROP TABLE marts.funnel CASCADE")
        cursor.execute("ALTER TABLE marts.funnel_new RENAME TO funnel")
    assert ask("SELECT stage, ever FROM reporting.funnel") == [("lead", 40)]


def test_a_filter_reaches_the_mart(built):
    plan = "\n".join(line for (line,) in ask("EXPLAIN SELECT amount FROM reporting.revenue WHERE day = '2026-01-30'"))
    assert "Seq Scan on revenue" in plan
    assert "Function Scan" not in plan


@pytest.mark.django_db(transaction=True)
def test_counters_are_those_of_this_moment(lived):
    entered = ask(
        "SELECT sum(amount) FROM reporting.workflow_counters"
        " WHERE step = 'welcome' AND metric = 'entered' AND facet = ''"
    )
    assert entered == [(6,)]


def test_views_are_made_once_and_again_when_they_differ(db):
    assert installing.install() is False
    with connection.cursor() as cursor:
        cursor.execute("COMMENT ON SCHEMA reporting IS 'older'")
    assert installing.install() is True
    assert ask("SELECT count(*) FROM reporting.builds") == [(0,)]


def test_tables_may_change_below_them(db):
    installing.before_migrations(plan=[("a migration", False)])
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE latencies ALTER COLUMN lane TYPE varchar(50)")
    installing.after_migrations()
    assert ask("SELECT count(*) FROM reporting.delays") == [(0,)]


@pytest.fixture
def role(transactional_db) -> Iterator[str]:
    """A name that no other test run has, and nothing of it afterwards: roles belong to the cluster."""
    name = f"reader_{connection.settings_dict['NAME']}"
    yield name
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_roles WHERE rolname = %s", [name])
        if cursor.fetchone()[0]:
            cursor.execute(f'DROP OWNED BY "{name}"')
            cursor.execute(f'DROP ROLE "{name}"')
    marts.drop()


@pytest.fixture
def make(role, monkeypatch):
    monkeypatch.setenv("READER_PASSWORD", PASSWORD)

    def run() -> str:
        said = StringIO()
        call_command("create_reader_role", role=role, stdout=said)
        return said.getvalue()

    return run


def enter(role: str) -> psycopg.Connection:
    given = connection.get_connection_params()
    return psycopg.connect(
        host=given.get("host"), port=given.get("port"), dbname=given["dbname"], user=role, password=PASSWORD
    )


def test_the_reader_reads_marts_and_views_also_those_of_a_later_build(role, make):
    assert "is made" in make()
    marts.build(clock.now())
    with enter(role) as theirs:
        assert theirs.execute("SELECT ever FROM funnel WHERE place = 1").fetchall() == [(100,)]
        assert theirs.execute("SELECT ever FROM marts.funnel WHERE place = 1").fetchall() == [(100,)]
        for view in views.VIEWS:
            theirs.execute(f"SELECT * FROM reporting.{view.name}").fetchall()
    assert "is up to date" in make()
    with enter(role) as theirs:
        assert theirs.execute("SELECT count(*) FROM builds").fetchone() == (1,)


def test_the_reader_reads_nobodys_data_and_changes_nothing(role, make):
    make()
    marts.build(clock.now())
    tables = [name for (name,) in ask("SELECT tablename FROM pg_tables WHERE schemaname IN ('public', 'staging')")]
    assert {"contacts", "contact_events", "auth_user", "api_keys"} <= set(tables)
    with enter(role) as theirs:
        theirs.autocommit = True
        readable = []
        for table in tables:
            try:
                theirs.execute(f'SELECT * FROM public."{table}" LIMIT 1')
                readable.append(table)
            except psycopg.errors.InsufficientPrivilege:
                continue
        assert readable == []
        for deed in (
            "UPDATE marts.funnel SET ever = 0",
            "DELETE FROM marts.funnel",
            "CREATE TABLE marts.mine (n int)",
            "CREATE TABLE public.mine (n int)",
            "CREATE SCHEMA mine",
            "CREATE VIEW reporting.mine AS SELECT 1",
            "COPY marts.funnel TO PROGRAM 'true'",
            "SELECT pg_read_file('/etc/passwd')",
            "CREATE ROLE mine",
        ):
            theirs.execute("SET default_transaction_read_only = off")  # the limit that they may lift
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                theirs.execute(deed)


def test_the_reader_has_limits(role, make):
    make()
    with enter(role) as theirs:
        shown = {name: theirs.execute(f"SHOW {name}").fetchone()[0] for name in reader.LIMITS}
    assert shown == {
        "statement_timeout": "1min", "lock_timeout": "3s", "idle_in_transaction_session_timeout": "1min",
        "default_transaction_read_only": "on", "search_path": "reporting, marts",
    }  # fmt: skip
    assert ask(f"SELECT rolsuper, rolcreaterole, rolcreatedb, rolconnlimit FROM pg_roles WHERE rolname = '{role}'") == [
        (False, False, False, reader.CONNECTIONS)
    ]


def test_a_short_password_and_the_name_of_a_superuser_are_refused(role, monkeypatch):
    monkeypatch.setenv("READER_PASSWORD", "short")
    with pytest.raises(CommandError, match="12 characters"):
        call_command("create_reader_role", role=role)
    monkeypatch.setenv("READER_PASSWORD", PASSWORD)
    (superuser,) = ask("SELECT rolname FROM pg_roles WHERE rolsuper LIMIT 1")[0]
    with pytest.raises(CommandError, match="superuser"):
        call_command("create_reader_role", role=superuser)
