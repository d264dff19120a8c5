"""The path on which facts may be touched: erasure, merge and retention take it, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def guarded_path() -> Iterator[None]:
    """Within the caller's transaction, tables that only grow let their rows be changed and deleted."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL carillon.guarded_path = 'on'")
        yield
        cursor.execute("SET LOCAL carillon.guarded_path = 'off'")
