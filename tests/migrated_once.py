"""The database of a run of the tests is migrated once, and copied by every process and run after it that finds the same
program on the same server: migrating costs each of them seven seconds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.backends.postgresql.creation import DatabaseCreation

PREFIX = "migrated_tests_"
LOCK = 4_207_311  # makes or copies one at a time, wherever on the server


@contextmanager
def copying() -> Iterator[None]:
    """While it is entered, a test database is a copy, if there is what to copy. Django goes through its migrations and
    what follows them all the same, and finds them done."""
    whole = DatabaseCreation.create_test_db

    def create(self: DatabaseCreation, *arguments: Any, **options: Any) -> str:
        with self._nodb_cursor() as cursor:
            # whoever is second waits for all migrations, which takes longer than anything may in the product
            cursor.execute("SET lock_timeout = 0; SET statement_timeout = 0")
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
            name = template()
            cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [PREFIX])
            known = [each for (each,) in cursor.fetchall()]
            if name in known:
                self.connection.settings_dict["TEST"]["TEMPLATE"] = name
                return whole(self, *arguments, **options)
            made = whole(self, *arguments, **options)
            self.connection.close()
            for older in known:  # of another state of the program
                cursor.execute(f'DROP DATABASE "{older}"')
            cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{made}"')
            return made

    DatabaseCreation.create_test_db = create
    try:
        yield
    finally:
        DatabaseCreation.create_test_db = whole


def template() -> str:
    """Its name says all that its content may come of: the code of the house, its packages, and the month, for which
    migrations make partitions."""
    said = hashlib.sha256(f"{datetime.now(UTC):%Y-%m}".encode())
    root = Path(settings.BASE_DIR)
    ours = [Path(app.path) for app in apps.get_app_configs() if Path(app.path).parent == root]
    for path in [root / "requirements.txt", *sorted(path for app in ours for path in app.rglob("*.py"))]:
        said.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return PREFIX + said.hexdigest()[:16]
