"""Facts that are committed, for dbt, which is another process; and what is left of them taken away again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase, override_settings

from tests import own_database

SCHEMAS = ("staging", "marts")


@contextmanager
def committed(blocker: Any, state: Path) -> Iterator[None]:
    """What is written inside is seen by dbt and by all tests of a module: a build takes many seconds. Then it is gone.
    No doorbell rings. `state`: where dbt keeps what it has understood of its project."""
    if not Path(settings.WAREHOUSE_DBT).exists():
        pytest.skip("dbt is not installed here: `. bin/bootstrap.sh && bootstrap_warehouse` installs it")
    # A test database is made only where some test of the session is marked: without one this would be the database that
    # DATABASE_URL names.
    own_database.insist()
    with (
        blocker.unblock(),
        pytest.MonkeyPatch.context() as patches,
        override_settings(WAREHOUSE_STATE=str(state)),
    ):
        patches.setattr("contacts.doorbell.ring", lambda task, lane: None)
        patches.setattr("contacts.doorbell.ring_at", lambda task, lane, instants: None)
        _drop()
        try:
            yield
        finally:
            _drop()
            TransactionTestCase()._fixture_teardown()
            connection.close()


def _drop() -> None:
    own_database.insist()
    with connection.cursor() as cursor:
        for schema in SCHEMAS:
            cursor.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
