"""A worker's black box: which messages of its batch certainly did not leave it, and which the provider took. A file
that is written before each first byte outlives the process (not the machine: then it says nothing), so a kill leaves
in doubt only what was on its way.

    boot <id of this run of the machine>
    claimed <instant of the claim> <mid> <mid> …
    start <mid>             right before the first byte, or before the lone dot of SMTP
    accepted <mid> <code>

The file is locked as long as its process lives. Whoever gets the lock reads what the dead one knew. It is believed of
exactly the claim that it was written for, and only for providers that mark every start."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import connection

from contacts import transactions
from delivery import facts, ledger
from delivery.ledger import Entry

SUFFIX = ".starts"
NOT_STARTED = "provably_not_started"  # the reasons in the log
ACCEPTED = "answered_before_the_end"
MARGIN_SECONDS = 5.0  # between a look at the clock and the note of a start


class Unwritable(OSError):
    """Neither a start nor its being unknown can be noted, or it was withdrawn: then nothing may start."""


@dataclass
class _Box:
    file: int
    path: Path

    def write(self, words: str) -> None:
        """All of it: half a line would make the next one unreadable, and a start in it unknown. Raises OSError."""
        told = words.encode("ascii")
        if os.write(self.file, told) != len(told):
            self.empty()
            raise OSError("half a line was written")

    def empty(self) -> None:
        os.ftruncate(self.file, 0)


@dataclass
class _Known:
    """What a dead process knew. `claimed_at` None: nothing."""

    claimed_at: datetime | None = None
    claimed: set[str] = field(default_factory=set)
    started: set[str] = field(default_factory=set)
    accepted: dict[str, int] = field(default_factory=dict)


_boxes: dict[int, _Box | None] = {}  # by process id
_recovered: set[int] = set()

_watched: dict[str, bool] = {}  # of the letters in this process's hands: whether something of it may have left
_withdrawn: dict[str, float] = {}  # until when by time.monotonic()
_watching = threading.Lock()  # the transport's thread starts what another one watches


def begin(mids: Iterable[str], *, claimed_at: datetime | None) -> None:
    """A batch was claimed, and nothing of it has left. Forgets the one before. Without `mids` the box says nothing."""
    if (box := _mine()) is None:
        return
    with suppress(OSError):
        box.empty()
        names = [mid for mid in mids if claimed_at]
        if names and claimed_at:
            box.write(f"boot {_boot()}\nclaimed {claimed_at.isoformat()} {' '.join(names)}\n")


def start(mid: str) -> None:
    """The next thing that happens may be the first byte. Raises Unwritable."""
    with _watching:
        if mid in _withdrawn and time.monotonic() < _withdrawn[mid]:
            raise Unwritable("withdrawn")
        if mid in _watched:
            _watched[mid] = True
    if mid and (box := _mine()) is not None:
        try:
            box.write(f"start {mid}\n")
        except OSError:
            try:
                box.empty()
            except OSError as error:
                raise Unwritable from error


def watch(mid: str) -> None:
    """From now on it is known whether something of this letter may have left, until `unwatch`."""
    with _watching:
        _watched[mid] = False


def withdraw(mids: Iterable[str], *, until: float) -> set[str]:
    """Of these watched letters, those of which something may have left. The others cannot start any more: not before
    `until` (time.monotonic()), when the time to start is over anyway."""
    with _watching:
        now = time.monotonic()
        for mid in [mid for mid, end in _withdrawn.items() if end < now]:
            del _withdrawn[mid]
        begun = {mid for mid in mids if _watched.get(mid, True)}
        _withdrawn.update({mid: until + MARGIN_SECONDS for mid in mids if mid not in begun})
        return begun


def unwatch(mids: Iterable[str]) -> None:
    """Nobody asks about them any more."""
    with _watching:
        for mid in mids:
            _watched.pop(mid, None)


def accept(mid: str, code: int | None) -> None:
    """The provider said that it has it."""
    if mid and (box := _mine()) is not None:
        with suppress(OSError):
            box.write(f"accepted {mid} {code or 0}\n")


def recover_first() -> None:
    """`recover`, once in the life of a process: a worker that was started anew begins with what the last one knew."""
    if os.getpid() not in _recovered:
        _recovered.add(os.getpid())
        recover()


def recover() -> int:
    """Read the boxes of this machine's dead processes and end their doubts. Returns how many messages that were."""
    if not settings.SEND_JOURNAL_DIR:
        return 0
    ended = 0
    for path in sorted(Path(settings.SEND_JOURNAL_DIR).glob(f"*{SUFFIX}")):
        with _of_a_dead_one(path) as words:
            if words is not None:
                known = _read(words)
                ended += transactions.run(partial(_settle, known)) if known.claimed_at else 0
                with suppress(OSError):
                    path.unlink()
    return ended


def _mine() -> _Box | None:
    if os.getpid() not in _boxes:
        _boxes.clear()  # a forked child has its parent's
        _boxes[os.getpid()] = _make() if settings.SEND_JOURNAL_DIR else None
    return _boxes[os.getpid()]


def _make() -> _Box | None:
    try:
        folder = Path(settings.SEND_JOURNAL_DIR)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{os.getpid()}-{os.urandom(6).hex()}{SUFFIX}"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # whoever found it before it was locked, or a folder that cannot be written to
        return None
    return _Box(file, path)


@contextmanager
def _of_a_dead_one(path: Path) -> Iterator[str | None]:
    """Its words, under its lock; None while its process lives, or somebody else reads it."""
    file, words = -1, None
    with suppress(OSError):
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file).st_nlink:  # else somebody has read it since
            words = path.read_text(encoding="ascii", errors="replace")
    try:
        yield words
    finally:
        if file >= 0:
            os.close(file)


def _read(words: str) -> _Known:
    """Lines that are whole; those of another run of the machine say nothing."""
    known = _Known()
    lines = words.split("\n")[:-1]
    if not lines or not _boot() or lines[0] != f"boot {_boot()}":
        return known
    for line in lines[1:]:
        match line.split(" "):
            case ["claimed", at, *mids]:
                known = _Known(datetime.fromisoformat(at), {mid for mid in mids if _is_uuid(mid)})
            case ["start", mid]:
                known.started.add(mid)
            case ["accepted", mid, code]:
                known.accepted[mid] = int(code)
    return known


def _settle(known: _Known, now: datetime) -> int:
    idle = known.claimed - known.started
    asked = sorted(idle | (known.claimed & known.accepted.keys()))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT o.message_id, o.attempt, o.address_id, m.public_id::text
              FROM messages m JOIN outbox o ON o.message_id = m.id
             WHERE m.public_id = ANY(%s::uuid[]) AND o.state IN ('sending', 'in_doubt') AND o.claimed_at = %s
             ORDER BY o.message_id FOR UPDATE OF o
            """,
            [asked, known.claimed_at],
        )
        rows = cursor.fetchall()
    taken = [_entry(row, "accepted", ACCEPTED) for row in rows if row[3] in known.accepted]
    again = [_entry(row, "not_started", NOT_STARTED) for row in rows if row[3] in idle]
    ledger.close(taken, now=now)
    facts.record([facts.once(entry.message_id, facts.SENT, now) for entry in taken], now=now)
    ledger.requeue(again, due_at=[now] * len(again), attempts=[entry.attempt - 1 for entry in again], now=now)
    return len(taken) + len(again)


def _entry(row: Sequence[object], kind: str, reason: str) -> Entry:
    message_id, attempt, address_id, _ = row
    return Entry(message_id, kind, attempt, reason, address_id)  # type: ignore[arg-type]


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _boot() -> str:
    """Which run of the machine this is; empty where nobody says so."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
