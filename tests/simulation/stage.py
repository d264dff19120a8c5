"""The stage that all seeds are played on: a scratch schema, in which nothing is left of the seed before. Not even where
its rows lay: a replay must find the tables as the first run found them."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import _lru_cache_wrapper
from typing import Any

import psycopg
import pytest
from celery import current_app
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.utils.module_loading import autodiscover_modules
from psycopg import sql

from contacts import catalogue, chaos, clock, outside
from contacts.conditions import catalogue as suggestions
from delivery import farewells, providers, sending, starts, suppression, withdrawals
from delivery.providers import faults
from tests.conftest import FIRST_CONTACT
from tests.simulation import memory
from tests.simulation.baton import Crew
from tests.simulation.esp import Esp
from tests.simulation.virtual import BEGINNING, Module, Time
from workflows import scratch, serializable

ACTORS = 3
FRONT = "simulation"
# A scratch has one inhabitant and makes locks free. Here are several, and the locks are what is tried.
_LOCKS = "".join(
    f"CREATE FUNCTION {FRONT}.{name}({', '.join(types)}) RETURNS {result} LANGUAGE sql AS"
    f" $$ SELECT pg_catalog.{name}({', '.join(f'${n}' for n in range(1, len(types) + 1))}) $$;"
    for name, types, result in (
        ("pg_advisory_xact_lock", ("bigint",), "void"),
        ("pg_advisory_xact_lock", ("int", "int"), "void"),
        ("pg_advisory_xact_lock_shared", ("bigint",), "void"),
        ("pg_try_advisory_xact_lock", ("bigint",), "boolean"),
        ("pg_try_advisory_xact_lock", ("int", "int"), "boolean"),
    )
)
_FILLED = """
    SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'
       AND relname <> 'django_migrations' AND pg_relation_size(oid) > 0 ORDER BY 1
"""
_SEQUENCES = """
    SELECT setval(format('%%I.%%I', schemaname, sequencename)::regclass, start_value, false) FROM pg_sequences
     WHERE schemaname = %s AND last_value IS NOT NULL
"""


@dataclass
class Stage:
    """`bells`: those that production rang, as (task, lane). `esp`: the provider."""

    crew: Crew
    time: Time
    esp: Esp
    noted: outside.Noted
    keeper: psycopg.Connection[Any]
    schema: str
    mutants: frozenset[str] = frozenset()

    @property
    def bells(self) -> set[tuple[str, str]]:
        return self.noted.bells

    def clear(self, seed: str) -> None:
        """As if nothing had ever been; every dice begins with the seed."""
        filled = [name for (name,) in self.keeper.execute(_FILLED, [self.schema]).fetchall()]
        tables = [sql.Identifier(self.schema, name) for name in filled]
        if tables:
            deletes = sql.SQL(";").join(sql.SQL("DELETE FROM {}").format(table) for table in tables)
            self.keeper.execute(deletes)
            self.keeper.execute(sql.SQL("VACUUM {}").format(sql.SQL(",").join(tables)))  # and the files are empty
        self.keeper.execute(_SEQUENCES, [self.schema])
        self.keeper.execute(f"SELECT setval('{self.schema}.contacts_id_seq', {FIRST_CONTACT}, false)")
        for cached in _cached():
            cached.cache_clear()
        starts._recovered.clear()  # as in a process that has just begun
        catalogue._memory = catalogue._Memory()
        suggestions._memory = suggestions._Memory()
        self.noted.batches = 0
        random.seed(seed)  # whoever tries again waits for as long as chance says
        self.bells.clear()
        self.time.start_over()
        self.esp.start_over()


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Takes this process there, for the time of the block."""
    parameters: dict[str, Any] = {**connection.get_connection_params(), "autocommit": True}
    for unneeded in ("cursor_factory", "context"):
        parameters.pop(unneeded, None)
    time = Time()
    crew = Crew(ACTORS, time)
    esp = Esp(crew)
    autodiscover_modules("tasks")
    with ExitStack() as stack:
        keeper = stack.enter_context(psycopg.connect(**parameters))
        stack.enter_context(scratch.open_scratch(now=BEGINNING))
        schema = _one("SELECT current_schema()")
        _prepare(keeper, schema)
        stage = Stage(crew, time, esp, outside._closed[-1], keeper, schema)
        patches = stack.enter_context(pytest.MonkeyPatch.context())
        module = Module(time, crew.sleep)
        for room in (sending, farewells, suppression, withdrawals, serializable, faults, suggestions):
            patches.setattr(room, "time", module)
        for name in ("contacts.transactions.time", "contacts.clock.time"):
            patches.setattr(name, module)
        patches.setattr(chaos, "point", lambda name: crew.pause("point", name))
        patches.setattr(chaos, "mutant", lambda name: name in stage.mutants)
        asked = clock.now  # of PostgreSQL, or of the wall by whoever built that in
        patches.setattr(clock, "now", lambda: asked() if chaos.mutant("timers.app_clock") else crew.now())
        patches.setattr(providers, "named", lambda name: esp)
        wrapper: Any = BaseDatabaseWrapper
        commit, rollback = wrapper._commit, wrapper._rollback
        patches.setattr(wrapper, "_commit", lambda self: crew.committing(lambda: commit(self), self))
        patches.setattr(wrapper, "_rollback", lambda self: crew.rolling_back(lambda: rollback(self)))
        stack.enter_context(_connected(crew, schema))
        stack.enter_context(crew)
        yield stage


def _prepare(keeper: psycopg.Connection[Any], schema: str) -> None:
    """Nothing but the seed may decide: no autovacuum, whose hour is the clock's on the wall."""
    keeper.execute("SET session_replication_role = replica")  # the triggers that refuse to delete facts sleep
    role = keeper.execute("SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = %s", [schema]).fetchone()
    assert role is not None
    keeper.execute(f"DROP SCHEMA IF EXISTS {FRONT} CASCADE; CREATE SCHEMA {FRONT}; {_LOCKS}")
    keeper.execute(f"GRANT USAGE ON SCHEMA {FRONT} TO {role[0]}")
    tables = keeper.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'", [schema]
    ).fetchall()
    for (name,) in tables:
        table = sql.Identifier(schema, name)
        keeper.execute(sql.SQL("ALTER TABLE {} SET (autovacuum_enabled = off)").format(table))
    # of a table that was never looked at the planner thinks otherwise than of one that was, and was empty
    names = sql.SQL(",").join(sql.Identifier(schema, name) for (name,) in tables)
    keeper.execute(sql.SQL("VACUUM {}").format(names))


@contextmanager
def _connected(crew: Crew, schema: str) -> Iterator[None]:
    """Every connection that is made in the block has real locks, waits for them as long as it takes, and is watched."""
    options = connection.settings_dict["OPTIONS"]
    before = options["options"]
    after = before.replace(f"search_path={schema}", f"search_path={FRONT},{schema}")
    for name in ("lock_timeout", "deadlock_timeout"):
        after += f" -c {name}={0 if name == 'lock_timeout' else '1h'}"
    after = after.replace("-c lock_timeout=10s", "")

    def watch(sender: object, connection: BaseDatabaseWrapper, **_: Any) -> None:
        connection.execute_wrappers.append(crew.executing)

    connection.close()
    options["options"] = after
    connection_created.connect(watch)
    try:
        connection.ensure_connection()
        yield
    finally:
        connection_created.disconnect(watch)
        connection.close()
        connection.execute_wrappers.clear()
        options["options"] = before
        connection.ensure_connection()


def _cached() -> list[Any]:
    """What functions of ours remember. Some modules are imported late."""
    if _known.get("modules") != len(sys.modules):
        found = [value for module in memory.modules().values() for value in list(vars(module).values())]
        wrappers = {id(value): value for value in found if isinstance(value, _lru_cache_wrapper)}
        _known.update(modules=len(sys.modules), caches=list(wrappers.values()))
    return _known["caches"]


_known: dict[str, Any] = {}


def answer(task: str, lane: str) -> None:
    """What a worker does that hears this bell."""
    current_app.tasks[task](lane=lane)


def _one(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]
