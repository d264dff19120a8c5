"""dbt's own environment, made when it is first wanted, by the same installer that makes the project's."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from django.conf import settings

from analytics.warehouse.processes import Running

NAME = ".venv-warehouse"
PINS = "requirements-warehouse.txt"


def making() -> Running | None:
    """What makes the environment, or brings it up to date; quick where there is nothing to do. None where it is not
    ours to make: dbt is named by a setting, or the project itself was installed in another way."""
    root = Path(settings.BASE_DIR)
    if Path(settings.WAREHOUSE_DBT) != root / NAME / "bin" / "dbt" or not (root / ".venv" / "installed.json").exists():
        return None
    command = [sys.executable, "-I", "config/install.py", "--environment", NAME, PINS]
    return Running(command, dict(os.environ), root)
