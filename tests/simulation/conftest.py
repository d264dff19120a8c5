from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from tests import own_database
from tests.simulation.running import WORLDS, simulate
from tests.simulation.stage import Stage, open_stage


@pytest.fixture
def bells() -> None:
    """Doorbells ring here: the stage hears them."""


@pytest.fixture(autouse=True)
def _own_redis_prefix() -> None:
    """There is no Redis on the stage."""


@pytest.fixture(autouse=True)
def _the_same_people() -> None:
    """The stage sees to that, for every seed."""


@pytest.fixture
def _django_db_helper() -> None:
    """No test fills a live table, so none is emptied: the stage stands between them."""


@pytest.fixture(scope="module")
def _opened(django_db_setup: None, django_db_blocker: Any) -> Iterator[Stage]:
    """Once for all tests: nothing of what they do on it stays."""
    with django_db_blocker.unblock():
        own_database.insist()
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
            if not cursor.fetchone()[0]:
                pytest.skip("the simulation sets PostgreSQL's deadlock timer, which only a superuser may do")
        with open_stage() as opened:
            for world in WORLDS:  # what a process does once in its life is no part of any seed
                simulate(opened, 0, world=world)
            yield opened


@pytest.fixture
def stage(_opened: Stage, bells: None) -> Stage:
    return _opened
