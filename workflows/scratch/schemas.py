"""The pool of scratch schemas: `carillon_scratch_1`, `_2`, … in the database of the live one.

A schema is made by the migrations themselves, with functions of its own in front of PostgreSQL's, and is known by a
stamp (a hash of all that makes it, its comment). Whoever uses one holds a session lock of its number, so a process that
dies leaves it to the next. Its owner is a role that has no right to anything else, where the database lets us make one;
in any case its search path holds nothing of the live schema, and every live table has its double in it."""

from __future__ import annotations

import copy
import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import django
import psycopg
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from contacts import direct

PREFIX = "carillon_scratch_"
ROLE = "carillon_scratch"
MOST = 20  # schemas of the pool
LOCK_CLASS = 7310  # first key of the session locks; the number of the schema is the second
CLOCK = "carillon.now"  # the setting of the session that holds the simulated time

# Found before PostgreSQL's own, since pg_catalog stands behind the schema in the search path. Nobody else is in a
# scratch, so its locks are free, however busy the live ones are, and nobody's transaction has to be waited for; and
# nothing is left to chance, so that the same case is the same case.
_IN_FRONT = """
CREATE FUNCTION now() RETURNS timestamptz LANGUAGE sql STABLE AS
    $$ SELECT current_setting('carillon.now')::timestamptz $$;
CREATE FUNCTION transaction_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
    $$ SELECT current_setting('carillon.now')::timestamptz $$;
CREATE FUNCTION statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
    $$ SELECT current_setting('carillon.now')::timestamptz $$;
CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
    $$ SELECT current_setting('carillon.now')::timestamptz $$;
CREATE FUNCTION random() RETURNS double precision LANGUAGE sql IMMUTABLE AS $$ SELECT 0.5::double precision $$;
CREATE FUNCTION pg_advisory_xact_lock(bigint) RETURNS void LANGUAGE sql AS $$ SELECT $$;
CREATE FUNCTION pg_advisory_xact_lock(int, int) RETURNS void LANGUAGE sql AS $$ SELECT $$;
CREATE FUNCTION pg_advisory_xact_lock_shared(bigint) RETURNS void LANGUAGE sql AS $$ SELECT $$;
CREATE FUNCTION pg_try_advisory_xact_lock(bigint) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE FUNCTION pg_try_advisory_xact_lock(int, int) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE FUNCTION pg_try_advisory_lock(int, int) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE FUNCTION pg_try_advisory_lock(bigint) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE SEQUENCE scratch_uuids;
CREATE FUNCTION gen_random_uuid() RETURNS uuid LANGUAGE sql SET search_path FROM CURRENT AS
    $$ SELECT md5(nextval('scratch_uuids')::text)::uuid $$;
CREATE VIEW pg_stat_activity AS SELECT * FROM pg_catalog.pg_stat_activity WHERE false;
"""

Say = Callable[[str], None]


class NoScratch(Exception):
    """There is no scratch schema, and why; a sentence."""


@dataclass(frozen=True)
class Schema:
    """One of the pool, held by this process. `keeper` is the live role's own connection: it may read the live schema
    and write the scratch; it commits every statement by itself."""

    name: str
    live: str
    role: str  # empty: this database lets us make none
    keeper: psycopg.Connection[tuple[Any, ...]]

    def options(self, now: datetime) -> str:
        """What a connection into the schema starts with."""
        role = f" -c role={self.role}" if self.role else ""
        return (
            f"-c search_path={self.name},pg_catalog{role} -c {CLOCK}={_spelt(now)}"
            " -c lock_timeout=10s -c statement_timeout=0 -c jit=off"
            " -c synchronous_commit=off"  # nobody misses what a crash takes from a scratch
        )


@contextmanager
def lend(say: Say) -> Iterator[Schema]:
    """One schema of the pool, up to date and empty of people, for this process alone. Raises NoScratch."""
    parameters = {**direct.parameters(), "autocommit": True, "application_name": "carillon scratch"}
    parameters["options"] = "-c lock_timeout=10s"
    try:
        keeper = psycopg.connect(**parameters)
    except psycopg.OperationalError as error:
        raise NoScratch(f"PostgreSQL cannot be reached: {str(error).strip()}") from error
    with keeper:
        live = _one(keeper, "SELECT current_schema()")
        if live is None or live.startswith(PREFIX):
            raise NoScratch("there is no live schema to stand beside")
        stamp, role = stamp_of_now(), _role(keeper)
        name = _choose(keeper, stamp)
        schema = Schema(name, live, role, keeper)
        if _stamp(keeper, name) != stamp:
            say("preparing a scratch schema (once after each change of the tables)")
            _make(schema, stamp)
        yield schema


def stamp_of_now() -> str:
    """A hash of all that makes a schema: every migration's name and text, and what stands in front."""
    digest = hashlib.sha256(f"{django.VERSION}{_IN_FRONT}".encode())
    for key, migration in sorted(MigrationLoader(None).disk_migrations.items()):
        digest.update(repr(key).encode())
        digest.update(inspect.getsource(sys.modules[type(migration).__module__]).encode())
    return digest.hexdigest()


def _choose(keeper: psycopg.Connection[Any], stamp: str) -> str:
    """A number that nobody holds; one whose schema is up to date comes before one that has to be made. The others that
    are out of date, and in nobody's hands, go."""
    rows = keeper.execute(
        "SELECT nspname, COALESCE(obj_description(oid, 'pg_namespace'), ''),"
        " pg_has_role(current_user, nspowner, 'USAGE') FROM pg_namespace WHERE nspname ~ %s",
        [f"^{PREFIX}[0-9]+$"],
    ).fetchall()
    stamps = {int(name.removeprefix(PREFIX)): found for name, found, _ in rows}
    of_others = {int(name.removeprefix(PREFIX)) for name, _, ours in rows if not ours}
    chosen: int | None = None
    for number in sorted(range(1, MOST + 1), key=lambda number: (stamps.get(number) != stamp, number)):
        if number in of_others or (chosen is not None and stamps.get(number) in (None, stamp)):
            continue
        if not _one(keeper, "SELECT pg_try_advisory_lock(%s, %s)", LOCK_CLASS, number):
            continue
        if chosen is None:
            chosen = number
            continue
        keeper.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(f"{PREFIX}{number}")))
        keeper.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_CLASS, number])
    if chosen is None:
        raise NoScratch(f"all {MOST} scratch schemas are in use; try again later")
    return f"{PREFIX}{chosen}"


def _role(keeper: psycopg.Connection[Any]) -> str:
    """The role that owns the schemas; empty where we may not make one."""
    if not _one(keeper, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", ROLE):
        try:
            keeper.execute(sql.SQL("CREATE ROLE {} NOLOGIN NOSUPERUSER").format(sql.Identifier(ROLE)))
        except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            pass  # another process was as quick
        except psycopg.errors.InsufficientPrivilege:
            return ""
    try:
        if not _one(keeper, "SELECT pg_has_role(current_user, %s, 'MEMBER')", ROLE):
            keeper.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(ROLE)))
    except psycopg.errors.InsufficientPrivilege:
        return ""
    return ROLE


def _make(schema: Schema, stamp: str) -> None:
    name = sql.Identifier(schema.name)
    owner = sql.SQL("AUTHORIZATION {}").format(sql.Identifier(schema.role)) if schema.role else sql.SQL("")
    schema.keeper.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))
    try:
        schema.keeper.execute(sql.SQL("CREATE SCHEMA {} {}").format(name, owner))
    except psycopg.errors.InsufficientPrivilege as error:
        raise NoScratch("the database role may not make schemas: GRANT CREATE ON DATABASE … TO it") from error
    with switched(schema, _one(schema.keeper, "SELECT now()")):
        with connection.cursor() as cursor:
            cursor.execute(_IN_FRONT)
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
        _check(schema)
    schema.keeper.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(name, sql.Literal(stamp)))


def _check(schema: Schema) -> None:
    """Every live table has its double: a name that is missing in the scratch would be an error, never a live row."""
    missing = schema.keeper.execute(
        """
        SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
           AND NOT EXISTS (SELECT FROM pg_class d JOIN pg_namespace m ON m.oid = d.relnamespace
                            WHERE m.nspname = %s AND d.relname = c.relname)
           AND EXISTS (SELECT FROM unnest(%s::text[]) AS ours(name) WHERE ours.name = c.relname)
         ORDER BY 1
        """,
        [schema.live, schema.name, connection.introspection.django_table_names(only_existing=False)],
    ).fetchall()
    if missing:
        raise NoScratch(f"the migrations made no {', '.join(name for (name,) in missing)} in the scratch schema")


@contextmanager
def switched(schema: Schema, now: datetime) -> Iterator[None]:
    """`django.db.connection` is the scratch for the time of the block, also after it was lost and came back."""
    assert not connection.in_atomic_block, "a scratch is entered outside any transaction"
    connection.close()
    options, before = connection.settings_dict["OPTIONS"], copy.deepcopy(connection.settings_dict)
    options.update(direct.options(), options=schema.options(now))
    connection.settings_dict.update(direct.address())
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_schema(), current_schemas(true)")
            current, path = cursor.fetchone()
        if current != schema.name or schema.live in path:
            raise NoScratch(
                "the database does not keep to the search path of a session: is a pooler in between? "
                "Let DATABASE_DIRECT_URL lead past it"
            )
        yield
    finally:
        connection.close()
        options.clear()
        options.update(before.pop("OPTIONS"))
        connection.settings_dict.update(before)


def set_clock(schema: Schema, now: datetime) -> None:
    """The time of the scratch from now on, of this connection and of one that would take its place."""
    connection.settings_dict["OPTIONS"]["options"] = schema.options(now)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, false)", [CLOCK, now.isoformat()])


def set_clock_of_keeper(schema: Schema, now: datetime) -> None:
    """For what the keeper writes into the scratch."""
    schema.keeper.execute("SELECT set_config(%s, %s, false)", [CLOCK, now.isoformat()])


def _spelt(now: datetime) -> str:
    return now.astimezone(UTC).isoformat()  # no spaces: it stands among the options of a connection


def _stamp(keeper: psycopg.Connection[Any], name: str) -> str:
    found = _one(keeper, "SELECT obj_description(to_regnamespace(%s), 'pg_namespace')", name)
    return found or ""


def _one(keeper: psycopg.Connection[Any], statement: str, *params: Any) -> Any:
    row = keeper.execute(statement, params).fetchone()
    return row[0] if row else None
