"""The warehouse, built by dbt for real, and one that is only played."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection

from analytics.models import WarehouseRun
from analytics.warehouse import building, runs
from contacts import clock
from tests.analytics.committed import SCHEMAS, committed


@dataclass
class Warehouse:
    """What a test may do with it."""

    def build(self, *, full_refresh: bool = False) -> WarehouseRun:
        """One whole run; it must go well."""
        run = self.try_to_build(full_refresh=full_refresh)
        assert run.problem == ""
        return run

    def try_to_build(self, *, full_refresh: bool = False) -> WarehouseRun:
        run_id = runs.ask("full_refresh" if full_refresh else "by_hand", now=clock.now())
        building.work(run_id, say=lambda done, total, text: None)
        return WarehouseRun.objects.get(pk=run_id)

    def ask(self, question: str, *params: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(question, params)
            return cursor.fetchall()

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every table that stands there with all its rows, less what says when a row was built."""
        found = {}
        for schema, table, columns in self.ask(
            "SELECT table_schema, table_name, string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position)"
            "  FROM information_schema.columns WHERE table_schema = ANY(%s) AND column_name <> 'built_at'"
            " GROUP BY 1, 2 ORDER BY 1, 2",
            list(SCHEMAS),
        ):
            rows = self.ask(f"SELECT {columns} FROM {schema}.{table}")
            found[f"{schema}.{table}"] = sorted(rows, key=repr)
        return found


@pytest.fixture(scope="module")
def warehouse(django_db_setup, django_db_blocker, dbt_state) -> Iterator[Warehouse]:
    """Rows that are committed, for all tests of a module."""
    with committed(django_db_blocker, dbt_state):
        yield Warehouse()


Play = Callable[..., None]


@pytest.fixture
def play(settings, tmp_path) -> Play:
    """Puts a program in the place of dbt that says these lines, sleeps between them, and ends with this code."""

    def write(*lines: dict[str, Any] | str, code: int = 0, sleep: float = 0.0) -> None:
        program = tmp_path / "dbt"
        said = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        program.write_text(
            f"#!{sys.executable} -IS\nimport os, sys, time\n"
            "open(os.environ['DBT_LOG_PATH'] + '.asked', 'a').write(' '.join(sys.argv[1:]) + chr(10))\n"
            f"for line in {said!r} if 'build' in sys.argv else []:\n"
            f"    print(line, flush=True)\n    time.sleep({sleep})\n"
            f"sys.exit({code})\n"
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        settings.WAREHOUSE_DBT = str(program)
        settings.WAREHOUSE_STATE = str(tmp_path)

    return write


def ended(node: str, state: str = "success", *, kind: str = "model", status: str = "SELECT 3", total: int = 2) -> dict:
    """What dbt says when a model or a test has ended."""
    name = {"model": "LogModelResult", "test": "LogTestResult"}[kind]
    info = {"node_name": node, "resource_type": kind, "node_status": state}
    data = {"node_info": info, "status": status, "execution_time": 0.25, "total": total}
    return {"info": {"name": name, "msg": f"{node} {state}", "level": "info"}, "data": data}


def fault(node: str, text: str) -> dict:
    data = {"node_info": {"node_name": node}, "msg": text}
    return {"info": {"name": "RunResultError", "msg": text, "level": "error"}, "data": data}
