"""Running a file's cases from a web process: `test_workflow` as a child, whose lines are handed on as they come."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from threading import Timer
from typing import Any

from django.conf import settings

LONGEST = 120.0  # seconds; then it is ended


def lines(file: Mapping[str, Any]) -> Iterator[str]:
    """What `test_workflow --json` says, a line at a time; the last one is `{"stopped": …}` where it was ended before it
    was through. Whoever stops listening ends it."""
    child = subprocess.Popen(
        [sys.executable, "manage.py", "test_workflow", "-", "--json"],
        cwd=settings.BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )
    timer = Timer(LONGEST, child.kill)
    timer.start()
    try:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(json.dumps(file))  # it reads all of it before it says anything
        child.stdin.close()
        yield from child.stdout
        if child.wait() not in (0, 1, 2):
            yield json.dumps({"stopped": "the test was ended before it was through"}) + "\n"
    finally:
        timer.cancel()
        child.kill()
        child.wait()
