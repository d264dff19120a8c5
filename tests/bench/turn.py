"""One turn of a contender in a process of its own: made ready, started by a line on its input, and over when it says
so. Those of intake's bench get `… FIRST COUNT PEOPLE`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from contacts.garbage import collect_seldom
from tests.bench import intake_stream

READY, GO, DONE = "ready", "go", "done"


def play(take: Callable[[Sequence[dict[str, Any]]], object]) -> None:
    """The events, and the connection, are there before the turn begins."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from django.db import connection

    first, count, people = (int(argument) for argument in sys.argv[1:4])
    elements = list(intake_stream.elements(first, count, people=people))
    connection.ensure_connection()
    collect_seldom()  # as the product's processes do; and the events that wait here are nobody's garbage
    take_turn(lambda: take(elements))


def take_turn(work: Callable[[], object]) -> None:
    """`work` once, when told to."""
    print(READY, flush=True)
    if sys.stdin.readline().strip() == GO:
        work()
        print(DONE, flush=True)
        sys.stdin.readline()  # stays until its cost was read
