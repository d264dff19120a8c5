"""The one place where the time is read: from PostgreSQL, once per transaction, at an entrance. Everything else takes
`now` as an argument."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from django.db import connection

from contacts import chaos


def now() -> datetime:
    """The start of the running transaction by the database's clock (aware, UTC)."""
    if chaos.mutant("timers.app_clock"):
        return datetime.fromtimestamp(time.time(), UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        return cursor.fetchone()[0]
