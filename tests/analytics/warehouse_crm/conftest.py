"""The CRM's files, brought in as the guide says, and the warehouse built on them: once for all tests of this folder."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test.testcases import LiveServerThread, _StaticFilesHandler

from contacts.importing.runs import Worker
from tests.analytics.committed import committed
from tests.analytics.warehouse_crm.by_hand import CRM
from tests.contacts.conftest import make_key

GUIDE = settings.BASE_DIR / "docs" / "guides" / "bring-your-crms-history.md"

Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def brought(django_db_setup, django_db_blocker, tmp_path_factory, dbt_state) -> Iterator[list[str]]:
    """What the guide's script said, the first time and the second; the warehouse is built on what it brought."""
    if not CRM.exists():
        pytest.skip("the CRM's files are not here")
    folder = tmp_path_factory.mktemp("crm")
    with committed(django_db_blocker, dbt_state):
        server = LiveServerThread("127.0.0.1", _StaticFilesHandler)
        server.daemon = True
        server.start()
        server.is_ready.wait()
        try:
            said = [_follow_the_guide(folder, f"http://127.0.0.1:{server.port}") for _ in range(2)]
        finally:
            server.terminate()
            server.join()
        call_command("build_warehouse", full_refresh=True)
        yield said


@pytest.fixture
def ask(db) -> Ask:
    def rows(question: str, *params: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(question, params)
            return cursor.fetchall()

    return rows


def _follow_the_guide(folder: Path, address: str) -> str:
    """Run its script as it stands there, while a worker does what the bulk lane would."""
    (script,) = re.findall(r"```python[^\n]*\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (folder / "bring_history.py").write_text(script, encoding="utf-8")
    key = make_key("events:write", "contacts:write", "contacts:read")
    over = threading.Event()
    worker = threading.Thread(target=_work_off, args=(over,))
    worker.start()
    try:
        done = subprocess.run(
            [sys.executable, str(folder / "bring_history.py"), str(CRM)],
            env={"CARILLON_URL": address, "CARILLON_KEY": key},
            capture_output=True,
            text=True,
            timeout=240,
        )
    finally:
        over.set()
        worker.join()
    assert done.returncode == 0, done.stderr
    return done.stdout


def _work_off(over: threading.Event) -> None:
    while not over.wait(0.1):
        worker = Worker()
        while worker.advance():
            pass
        worker.close()
    connection.close()
