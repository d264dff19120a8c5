"""A rehearsal whose row is watched: it writes there how far it is, hears there that it should end, and ends in time."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection

from workflows import scratch
from workflows.models import Rehearsal
from workflows.publishing import CannotPublish
from workflows.rehearsal import running
from workflows.rehearsal.asked import Asked, CannotRehearse
from workflows.rehearsal.running import Progress

EVERY = 1.0  # seconds between two words about how far it is


class Stopped(Exception):
    """Somebody asked it to, or it took too long: a sentence."""


def run(row: Rehearsal, asked: Asked) -> bool:
    """Rehearse, and leave the outcome in the row. Returns whether there is a report."""
    with _live() as live:
        try:
            with _in_time(settings.REHEARSAL_SECONDS):
                report = _rehearse(row, asked, live)
        except Stopped as error:
            return _end(live, row, "stopped", error=str(error))
        except (CannotRehearse, CannotPublish, scratch.NoScratch, scratch.Restless) as error:
            return _end(live, row, "failed", error=str(error))
        except Exception as error:
            _end(live, row, "failed", error=f"it broke off with {type(error).__name__}")
            raise
        return _end(live, row, "done", report=report)


def _rehearse(row: Rehearsal, asked: Asked, live: psycopg.Connection[Any]) -> dict[str, Any]:
    piece = running.find(asked)
    scope = running.scope_of(piece)
    told = {"at": 0.0}

    def beat(progress: Progress | None) -> None:
        if time.monotonic() - told["at"] < EVERY:
            return
        told["at"] = time.monotonic()
        state = live.execute(
            "UPDATE rehearsals SET beat_at = now(), played_to = COALESCE(%s, played_to), played = COALESCE(%s, played),"
            " expected = COALESCE(%s, expected) WHERE id = %s RETURNING state",
            [*((progress.at, progress.played, progress.expected) if progress else (None, None, None)), row.pk],
        ).fetchone()
        if state is None or state[0] != "running":
            raise Stopped("it was stopped")

    with scratch.open_scratch(now=asked.since, say=lambda _: beat(None)) as room:
        return running.rehearse(room, asked, piece, scope, hear=beat, say=lambda _: beat(None)).as_dict()


def _end(live: psycopg.Connection[Any], row: Rehearsal, state: str, *, error: str = "", report: Any = None) -> bool:
    live.execute(
        "UPDATE rehearsals SET state = %s, error = %s, report = %s::jsonb, finished_at = now() WHERE id = %s",
        [state, error[:1000], json.dumps(report) if report is not None else None, row.pk],
    )
    return report is not None


@contextmanager
def _live() -> Iterator[psycopg.Connection[Any]]:
    """A connection that stays outside the scratch: made before it is entered, since nothing is reached from inside."""
    parameters = {**connection.get_connection_params(), "autocommit": True, "application_name": "carillon rehearsal"}
    for unneeded in ("cursor_factory", "context"):
        parameters.pop(unneeded, None)
    with psycopg.connect(**parameters) as live:
        yield live


@contextmanager
def _in_time(seconds: int) -> Iterator[None]:
    """Raises Stopped inside the block when its time is over, or when the process is told to end."""

    def over(number: int, frame: Any) -> None:
        late = number == signal.SIGALRM
        raise Stopped(f"it took longer than {seconds:,} seconds" if late else "the process was told to end")

    before = {each: signal.signal(each, over) for each in (signal.SIGALRM, signal.SIGTERM)}
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        for each, handler in before.items():
            signal.signal(each, handler)
