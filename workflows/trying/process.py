"""Trying from a web process: a scratch takes a process of its own, and one that is ready answers in a second.

So a web process keeps a child, which waits for questions, one line of JSON each, and answers in a line. It ends when
nobody has asked for some minutes, or when its parent is gone; the next question starts another."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from threading import Lock
from typing import IO, Any

from django.conf import settings
from django.db import connection

from workflows.rehearsal import reading, running
from workflows.rehearsal.asked import CannotRehearse, Piece
from workflows.trying.asked import Trial

PATIENCE = 60.0  # seconds for an answer, the making of a scratch schema included
IDLE = 300.0  # seconds without a question, after which the child ends

_lock = Lock()
_children: list[_Child] = []  # one, or none


class Unanswered(Exception):
    """Nobody could be tried; a sentence."""


class _Child:
    def __init__(self, database: str) -> None:
        self.database = database
        self._process = subprocess.Popen(  # noqa: S603  (our own command)
            [sys.executable, "manage.py", "try_contact", f"--idle={IDLE:.0f}"],
            cwd=settings.BASE_DIR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    @property
    def is_there(self) -> bool:
        return self._process.poll() is None

    def ask(self, line: bytes) -> dict[str, Any]:
        """Raises OSError where it is gone."""
        stdin, stdout = _pipe(self._process.stdin), _pipe(self._process.stdout)
        stdin.write(line)
        stdin.flush()
        until, answer = time.monotonic() + PATIENCE, b""
        while not answer.endswith(b"\n"):
            ready, _, _ = select.select([stdout], [], [], max(0.0, until - time.monotonic()))
            piece = stdout.read1(65_536) if ready else b""  # type: ignore[attr-defined]
            if not piece:
                raise OSError("no answer")
            answer += piece
        found: dict[str, Any] = json.loads(answer)
        return found

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            _pipe(pipe).close()


def warm() -> None:
    """Let a child make itself ready meanwhile."""
    with _lock:
        _ready()


def ask(trial: Trial) -> Mapping[str, Any]:
    """What `telling` says of it. One after another: whoever comes second waits. Raises Unanswered."""
    line = json.dumps({"trial": trial.as_json(), "scope": _scope(trial)}).encode() + b"\n"
    with _lock:
        child = _ready()
        try:
            answer = child.ask(line)
        except (OSError, ValueError) as error:
            _end()
            raise Unanswered("The test was ended before it was through. Try again.") from error
    if "error" in answer:
        raise Unanswered(str(answer["error"]))
    return answer


def end() -> None:
    """No child any more."""
    with _lock:
        _end()


def _end() -> None:
    while _children:
        _children.pop().end()


def _scope(trial: Trial) -> dict[str, Any]:
    """What the definition reads of the live schema, where this process is, and the child is not."""
    piece = Piece(trial.workflow_id, trial.slug, trial.slug, trial.definition, None)
    try:
        scope = running.scope_of(piece)
    except CannotRehearse as error:
        raise Unanswered(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
    return reading.as_json(scope)


def _ready() -> _Child:
    database = str(connection.settings_dict["NAME"])
    if _children and not (_children[0].is_there and _children[0].database == database):
        _end()
    if not _children:
        _children.append(_Child(database))
    return _children[0]


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
