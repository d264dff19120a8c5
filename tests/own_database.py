"""Whatever is emptied or dropped by tests is a test's own."""

from __future__ import annotations

import pytest
from django.db import connection


def insist() -> None:
    """Fails in any database whose name does not begin with test_, before anything is lost."""
    name = str(connection.settings_dict["NAME"])
    if not name.startswith("test_"):
        pytest.fail(f"{name} is no test database, and would be emptied: the test needs the mark django_db")
