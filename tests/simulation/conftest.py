from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from tests.simulation.running import WORLDS, simulate
from tests.simulation.stage import Stage, open_stage


@pytest.fixture
def bells() -> None:
    """Doorbells ring here: the stage hears them."""


@pytest.fixture
def stage(transactional_db: None, bells: None) -> Iterator[Stage]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if not cursor.fetchone()[0]:
            pytest.skip("the simulation sets PostgreSQL's deadlock timer, which only a superuser may do")
    with open_stage() as opened:
        for world in WORLDS:  # what a process does once in its life is no part of any seed
            simulate(opened, 0, world=world)
        yield opened
