"""One turn of a contender of the imports' bench, in a process of its own: made ready, started by a line on its input,
and over when it says so. `python -m tests.bench.imports_turn FILE` is ours: what the command does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from tests.bench.turn import DONE, GO, READY


def play(load: Callable[[Path], object]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from django.db import connection

    connection.ensure_connection()
    print(READY, flush=True)
    if sys.stdin.readline().strip() == GO:
        load(Path(sys.argv[1]))
        print(DONE, flush=True)
        sys.stdin.readline()  # stays until its cost was read


def command(path: Path) -> None:
    from django.core.management import call_command

    call_command("import_contacts", str(path), stdout=sys.stderr)


if __name__ == "__main__":
    play(command)
