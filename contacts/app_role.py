"""A role for the web and the workers that works with the tables and owns none of them: it can take no trigger off and
empty no table, and has no right at all to change or delete what `KEPT` names.

Whoever owns the tables could switch the triggers off that keep facts as they are; so a program that somebody took over,
or a statement that was smuggled in, could do it too. Under this role PostgreSQL itself says no. The other facts keep
their triggers and their guarded path, since erasure, merges and retention have to touch them.

Roles belong to the whole cluster, so none is made by a migration: `manage.py create_app_role` makes it, as the owner of
the tables, and brings it up to date after an upgrade."""

from __future__ import annotations

from typing import Any

from django.db import ProgrammingError, connection, transaction
from psycopg import sql

from contacts.transactions import sqlstate

ROLE = "carillon_app"
KEPT = ("audit_entries", "audit_seals", "privacy_deeds")  # what no deed of the web or of a lane of work ever touches
REFUSED = "42501"


class NotAllowed(Exception):
    """The role cannot be made, or not by us; the words say what to do."""


def create(role: str = ROLE, *, password: str) -> bool:
    """Make the role, or bring one that is there to the same state; returns whether it is new. One transaction. Tables
    that a later migration makes can be worked with, too. Raises NotAllowed."""
    name = sql.Identifier(role)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            known = _look(cursor, role)
            cursor.execute(
                sql.SQL(
                    "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD {}"
                ).format(sql.SQL("ALTER" if known else "CREATE"), name, sql.Literal(sealed_password(role, password)))
            )
            cursor.execute("SELECT current_schema(), current_database()")
            schema, database = map(sql.Identifier, cursor.fetchone())
            for statement in _GRANTS:
                cursor.execute(sql.SQL(statement).format(schema=schema, database=database, role=name))
            for table in KEPT:
                cursor.execute(sql.SQL("REVOKE UPDATE, DELETE ON {} FROM {}").format(sql.Identifier(table), name))
    except ProgrammingError as error:
        if sqlstate(error) != REFUSED:
            raise
        raise NotAllowed(
            "This has to be done by the role that owns the tables, with the attribute CREATEROLE while it does: as an"
            f" administrator give it that, run this command again, and take it back. The role {role} is made once."
        ) from error
    return not known


def _look(cursor: Any, role: str) -> bool:
    """Whether it is there. Raises NotAllowed where it is one that could do more."""
    cursor.execute(
        "SELECT rolsuper, pg_has_role(rolname, current_user, 'MEMBER') FROM pg_roles WHERE rolname = %s", [role]
    )
    row = cursor.fetchone()
    if row and row[0]:
        raise NotAllowed(f"{role} is a superuser: it stays as it is. Choose another name.")
    if row and row[1]:
        raise NotAllowed(f"{role} owns the tables, or may act as their owner. Choose another name.")
    return row is not None


# Without TRUNCATE, and without what only an owner may. A schema of its own is what a rehearsal plays in.
_GRANTS = (
    "GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {database} TO {role}",
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE, SELECT ON SEQUENCES TO {role}",
)


def sealed_password(role: str, password: str) -> str:
    """As the server keeps it: the password itself reaches neither its log nor its list of statements."""
    connection.ensure_connection()
    made = connection.connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return bytes(made).decode("ascii")
