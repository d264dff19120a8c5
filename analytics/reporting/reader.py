"""A role for other people's tools, which reads schema `marts` and schema `reporting` and nothing else.

Roles belong to the whole cluster, so none is made by a migration: `manage.py create_reader_role` makes it."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import ProgrammingError, connection, transaction
from psycopg import sql

from analytics.reporting import installing
from contacts.app_role import REFUSED, sealed_password
from contacts.transactions import sqlstate

ROLE = "carillon_reader"
SCHEMAS = ("marts", "reporting")
CONNECTIONS = 20
LIMITS: Mapping[str, str] = {
    "statement_timeout": "60s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "60s",
    "default_transaction_read_only": "on",
    "search_path": "reporting, marts",
}


class NotAllowed(Exception):
    """The platform's own role may not make roles or schemas; the words say what to run as an administrator."""


def create(role: str = ROLE, *, password: str) -> bool:
    """Make the role, or bring one that is there to the same state, and give it what it may read; returns whether it is
    new. One transaction. Tables that a build makes later are readable, too. Raises NotAllowed."""
    name = sql.Identifier(role)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", [role])
            known = cursor.fetchone()
            if known and known[0]:
                raise NotAllowed(f"{role} is a superuser: it stays as it is. Choose another name.")
            verb = sql.SQL("ALTER" if known else "CREATE")
            cursor.execute(
                sql.SQL(
                    "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT"
                    " CONNECTION LIMIT {} PASSWORD {}"
                ).format(verb, name, sql.Literal(CONNECTIONS), sql.Literal(sealed_password(role, password)))
            )
            for setting, value in LIMITS.items():
                values = sql.SQL(", ").join(map(sql.Literal, value.split(", ")))
                cursor.execute(sql.SQL("ALTER ROLE {} SET {} = {}").format(name, sql.Identifier(setting), values))
            for schema in SCHEMAS:
                cursor.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
            installing.install()
            for schema in SCHEMAS:
                _grant(cursor, schema, name)
    except ProgrammingError as error:
        if sqlstate(error) != REFUSED:
            raise
        raise NotAllowed(_advice(role)) from error
    return not known


def _grant(cursor: object, schema: str, role: sql.Identifier) -> None:
    """What is there, and what its owner will make there."""
    for statement in (
        "GRANT USAGE ON SCHEMA {schema} TO {role}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role}",
    ):
        cursor.execute(sql.SQL(statement).format(schema=sql.Identifier(schema), role=role))  # type: ignore[attr-defined]


def _advice(role: str) -> str:
    return (
        "The platform's role may not do this. As an administrator of the database, give it the attribute CREATEROLE "
        f"and the right to make schemas, run this command again, and take them back: the role {role} is made once."
    )
