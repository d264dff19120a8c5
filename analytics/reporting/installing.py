"""The schema `reporting` as this version of the program describes it: made after every migration that changed it, and
taken away before tables change that it reads."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db import connection, transaction

from analytics.reporting import views

MARK = "Views for tools of other people, made by the program, which replaces them: "


def install() -> bool:
    """Make the views, in one transaction, unless they are there as they should be; returns whether it did anything.
    A role that may not make schemas makes none: `create_reader_role` says so."""
    wanted = MARK + _fingerprint()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('reporting views'))")
        cursor.execute(
            "SELECT obj_description(to_regnamespace(%s)::oid, 'pg_namespace'), to_regnamespace(%s) IS NOT NULL,"
            " has_database_privilege(current_database(), 'CREATE')",
            [views.SCHEMA, views.SCHEMA],
        )
        standing, is_there, may_make = cursor.fetchone()
        if standing == wanted or not (is_there or may_make):
            return False
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {views.SCHEMA}")
        _drop(cursor)
        cursor.execute("SET LOCAL check_function_bodies = off")  # the marts may not be built yet
        for view in views.VIEWS:
            for statement in views.statements(view):
                cursor.execute(statement)
        cursor.execute(f"COMMENT ON SCHEMA {views.SCHEMA} IS '{wanted}'")
    return True


def take_away() -> None:
    """Before tables change that the views read."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace(%s) IS NOT NULL", [views.SCHEMA])
        if cursor.fetchone()[0]:
            _drop(cursor)
            cursor.execute(f"COMMENT ON SCHEMA {views.SCHEMA} IS NULL")


def before_migrations(*, plan: Any = (), using: str = "default", **_: Any) -> None:
    if plan and using == "default":
        take_away()


def after_migrations(*, using: str = "default", **_: Any) -> None:
    if using == "default":
        install()


def _drop(cursor: Any) -> None:
    """Our views and functions. PostgreSQL refuses it where somebody made views of their own out of these."""
    cursor.execute(
        "SELECT format('DROP VIEW %%s', c.oid::regclass) FROM pg_class c"
        " WHERE c.relnamespace = %s::regnamespace AND c.relkind = 'v' UNION ALL"
        " SELECT format('DROP FUNCTION %%s', p.oid::regprocedure) FROM pg_proc p"
        " WHERE p.pronamespace = %s::regnamespace",
        [views.SCHEMA, views.SCHEMA],
    )
    for (statement,) in cursor.fetchall():
        cursor.execute(statement)


def _fingerprint() -> str:
    said = "\n".join(statement for view in views.VIEWS for statement in views.statements(view))
    return hashlib.sha256(said.encode()).hexdigest()[:16]
