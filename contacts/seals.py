"""The chain over the audit log: who changes, removes or slips in an entry behind the application's back is found out.

Entries are sealed some seconds after they were committed, one link of the chain each, since a chain that grew in the
transaction of every change would make all of them wait for one another. Which entries wait is said by rows that a
trigger writes with them (`audit_unsealed`), so one whose transaction took long is not passed over: links follow the
order in which they are made, not the numbers of the entries.

A link holds the hash of its entry; its digest covers the link and the digest of the one before. So the chain can still
be followed when AUDIT_RETENTION has let entries go, and a link of its own says which those were. What the chain cannot
show is that its end was cut off, links and entries alike, or that all of it was made anew: for that somebody keeps a
position and its digest elsewhere, and asks for it (`verify_audit --expect`). docs/decisions/0052 says more."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

BELL = "contacts.seal_audit"
AT_ONCE = 1_000  # links of one statement
_ONE_AT_A_TIME = "contacts.seals"
_BEGINNING = hashlib.sha256(b"carillon audit log").digest()

_COLUMNS = ("id", "actor_kind", "actor", "what", "object_type", "object_id", "object_name", "before", "after", "at",
            "request_id")  # fmt: skip
# JSON as PostgreSQL writes it, which is the same for the same value: numbers keep all their digits
_ENTRY = ", ".join(f"e.{name}::text" if name in {"before", "after"} else f"e.{name}" for name in _COLUMNS)


@dataclass(frozen=True)
class Link:
    """A row of `audit_seals` but for its digest."""

    position: int
    entry_id: int | None
    entry_at: datetime | None
    entry_hash: bytes | None
    pruned_before: datetime | None
    sealed_at: datetime

    def digest(self, former: bytes) -> bytes:
        said = json.dumps([
            self.position,
            self.entry_id,
            _instant(self.entry_at),
            self.entry_hash.hex() if self.entry_hash is not None else None,
            _instant(self.pruned_before),
            _instant(self.sealed_at),
        ])  # fmt: skip
        return hashlib.sha256(former + said.encode()).digest()


@dataclass(frozen=True)
class Head:
    """The newest link: `position` 0 and the digest of nothing where there is none."""

    position: int
    digest: bytes


@dataclass(frozen=True)
class Verdict:
    """`trouble`: the first that is wrong, in a sentence; empty if nothing is. `links`: how many were followed, of which
    the entries of `pruned` were let go by AUDIT_RETENTION. `waiting`: entries that are not sealed yet, the oldest of
    `waiting_since`."""

    trouble: str
    links: int
    pruned: int
    waiting: int
    waiting_since: datetime | None
    head: Head


def seal_batch(*, now: datetime) -> bool:
    """Seal what waits, in the caller's transaction; whether there may be more. Does nothing where somebody else is at
    it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [_ONE_AT_A_TIME])
        return bool(cursor.fetchone()[0]) and _seal(now) == AT_ONCE


def seal_before_pruning(*, now: datetime) -> None:
    """All that waits, in the caller's transaction, which is the only one that adds to the chain until it is over."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [_ONE_AT_A_TIME])
    while _seal(now) == AT_ONCE:
        pass


def note_pruning(*, before: datetime, now: datetime) -> None:
    """A link that says that entries older than this were let go. After `seal_before_pruning`."""
    former = head()
    _append(former, [Link(former.position + 1, None, None, None, before, now)])


def head() -> Head:
    with connection.cursor() as cursor:
        cursor.execute("SELECT position, digest FROM audit_seals ORDER BY position DESC LIMIT 1")
        row = cursor.fetchone()
    return Head(row[0], bytes(row[1])) if row else Head(0, _BEGINNING)


def _seal(now: datetime) -> int:
    """An entry that is gone before it was sealed stays in the queue, where `verify` finds it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_ENTRY} FROM audit_unsealed u JOIN audit_entries e ON e.id = u.entry_id"
            " ORDER BY u.entry_id LIMIT %s",
            [AT_ONCE],
        )
        found = cursor.fetchall()
        if found:
            former = head()
            links = [
                Link(position, row[0], row[_COLUMNS.index("at")], _hash(row), None, now)
                for position, row in enumerate(found, former.position + 1)
            ]
            _append(former, links)
            cursor.execute("DELETE FROM audit_unsealed WHERE entry_id = ANY(%s)", [[row[0] for row in found]])
    return len(found)


def _append(former: Head, links: list[Link]) -> None:
    digests, digest = [], former.digest
    for link in links:
        digest = link.digest(digest)
        digests.append(digest)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO audit_seals (position, entry_id, entry_at, entry_hash, pruned_before, digest, sealed_at)
            SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::bytea[], %s::timestamptz[],
                                 %s::bytea[], %s::timestamptz[])
            """,
            [
                [link.position for link in links],
                [link.entry_id for link in links],
                [link.entry_at for link in links],
                [link.entry_hash for link in links],
                [link.pruned_before for link in links],
                digests,
                [link.sealed_at for link in links],
            ],
        )


def _hash(row: tuple[Any, ...]) -> bytes:
    """Of an entry's canonical JSON."""
    entry = dict(zip(_COLUMNS, row, strict=True))
    entry["at"] = _instant(entry["at"])
    return hashlib.sha256(json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()).digest()


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at is not None else None


# -- following the chain -----------------------------------------------------------------------------------------------


def verify(*, newest: int | None = None, expect: Head | None = None) -> Verdict:
    """Follow the chain from its beginning, or through the `newest` links of it, and compare every entry that is there
    with what was sealed. `expect`: a link that somebody remembers. Reads in one transaction of the caller, which is to
    be REPEATABLE READ where entries come in meanwhile."""
    end = head()
    first = max(1, end.position - newest + 1) if newest is not None else 1
    allowed, pruned, followed = _pruned_before(), 0, 0
    former = _digest_at(first - 1)
    trouble = _unless_remembered(expect)
    for link, digest, row in _links(first):
        if trouble:
            break
        entry_is_gone = link.entry_id is not None and row is None
        if link.position != first + followed:
            trouble = f"link {first + followed} of the chain is missing"
        elif former is None or link.digest(former) != digest:
            trouble = f"link {link.position} of the chain was changed{_about(link)}"
        elif entry_is_gone and not (allowed and link.entry_at and link.entry_at < allowed):
            trouble = f"entry {link.entry_id} is missing: it was sealed as link {link.position}"
        elif row is not None and _hash(row) != link.entry_hash:
            trouble = f"entry {link.entry_id} differs from what was sealed as link {link.position}"
        else:
            former, followed, pruned = digest, followed + 1, pruned + entry_is_gone
    waiting, since = _waiting()
    return Verdict(trouble or _outside_of_the_chain(), followed, pruned, waiting, since, end)


def _about(link: Link) -> str:
    return f"; it sealed entry {link.entry_id}" if link.entry_id is not None else ""


def _unless_remembered(expect: Head | None) -> str:
    if expect is None or _digest_at(expect.position) == expect.digest:
        return ""
    return f"link {expect.position} of the chain is not the one that is remembered"


def _digest_at(position: int) -> bytes | None:
    if position == 0:
        return _BEGINNING
    with connection.cursor() as cursor:
        cursor.execute("SELECT digest FROM audit_seals WHERE position = %s", [position])
        row = cursor.fetchone()
    return bytes(row[0]) if row else None


def _pruned_before() -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(pruned_before) FROM audit_seals")
        return cursor.fetchone()[0]


def _links(first: int) -> Iterator[tuple[Link, bytes, tuple[Any, ...] | None]]:
    """Each with its digest and its entry, if that is there."""
    after = first - 1
    while True:
        with closing(connection.cursor()) as cursor:
            cursor.execute(
                f"""
                SELECT s.position, s.entry_id, s.entry_at, s.entry_hash, s.pruned_before, s.sealed_at, s.digest,
                       {_ENTRY}
                  FROM audit_seals s LEFT JOIN audit_entries e ON e.id = s.entry_id
                 WHERE s.position > %s ORDER BY s.position LIMIT %s
                """,
                [after, AT_ONCE],
            )
            found = cursor.fetchall()
        for position, entry_id, entry_at, entry_hash, pruned_before, sealed_at, digest, *entry in found:
            hashed = bytes(entry_hash) if entry_hash is not None else None
            link = Link(position, entry_id, entry_at, hashed, pruned_before, sealed_at)
            yield link, bytes(digest), tuple(entry) if entry[0] is not None else None
        if len(found) < AT_ONCE:
            return
        after = found[-1][0]


def _outside_of_the_chain() -> str:
    """Entries that neither are sealed nor wait for it were slipped in; what waits and is no more was taken away."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT min(e.id) FROM audit_entries e
             WHERE NOT EXISTS (SELECT FROM audit_seals s WHERE s.entry_id = e.id)
               AND NOT EXISTS (SELECT FROM audit_unsealed u WHERE u.entry_id = e.id)
            """
        )
        if (slipped_in := cursor.fetchone()[0]) is not None:
            return f"entry {slipped_in} was slipped in: it neither is sealed nor waits for it"
        cursor.execute(
            "SELECT min(u.entry_id) FROM audit_unsealed u"
            " WHERE NOT EXISTS (SELECT FROM audit_entries e WHERE e.id = u.entry_id)"
        )
        if (taken := cursor.fetchone()[0]) is not None:
            return f"entry {taken} is missing: it was taken away before it was sealed"
    return ""


def _waiting() -> tuple[int, datetime | None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), min(at) FROM audit_unsealed u JOIN audit_entries e ON e.id = u.entry_id")
        return cursor.fetchone()
