"""Races: tests in which the database is worked on over more connections than one. However a race ends, the counters are
what the facts say."""

from __future__ import annotations

import threading
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from analytics.counting import rebuild


class Race:
    """Watches a test from `__enter__` to `__exit__`. `happened`: somebody beside the test itself connected."""

    def __init__(self) -> None:
        self.happened = False

    def __enter__(self) -> Race:
        connection_created.connect(self._somebody_connected)
        return self

    def __exit__(self, *_: object) -> None:
        connection_created.disconnect(self._somebody_connected)

    def _somebody_connected(self, sender: object, connection: BaseDatabaseWrapper, **_: Any) -> None:
        is_own = threading.current_thread() is threading.main_thread() and connection is connections[connection.alias]
        self.happened = self.happened or not is_own


def recount() -> None:
    """Raises AssertionError with the first ten counters that are not what the facts say."""
    said = [difference.said for difference in rebuild.compare().differences]
    assert said == [], "after the race: " + "; ".join(said[:10])
