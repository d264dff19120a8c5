"""One web for all pages of the guides."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.test import TransactionTestCase, override_settings

from contacts import redis_index
from tests import own_database
from tests.docs.blocks import DOCS, blocks_of
from tests.docs.running import Room, run_block
from tests.stories.fleet import Installation, WebAlone

FIRST = DOCS / "guides" / "integrators" / "index.md"  # where the keys are made that the other pages use


@pytest.fixture(scope="module")
def installation(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[Installation]:
    """Its web, over the database of the tests, which is emptied afterwards."""
    own_database.insist()
    prefix = f"docs:{os.getpid()}:"
    with django_db_blocker.unblock(), override_settings(REDIS_PREFIX=prefix):
        try:
            with WebAlone(tmp_path_factory.mktemp("installation"), speed=1) as running:
                yield running
        finally:
            TransactionTestCase()._fixture_teardown()
            connection.close()
            client = redis_index.connection()
            for key in client.scan_iter(match=f"{prefix}*", count=1000):
                client.delete(key)


@pytest.fixture(scope="module")
def exported(installation: Installation, tmp_path_factory) -> dict[str, str]:
    """What the first page for integrators exports: the address, and the keys."""
    room = Room(tmp_path_factory.mktemp("first"), installation, {})
    for block in blocks_of(FIRST):
        if "notrun" not in block.options:
            run_block(block, room, "")
    return room.exported


@pytest.fixture
def room(installation: Installation, exported: dict[str, str], tmp_path: Path) -> Room:
    return Room(tmp_path, installation, exported)


@pytest.fixture
def bells() -> None:
    """Doorbells are heard: journeys of the guides run in this process, in a scratch schema."""
