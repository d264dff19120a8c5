"""What could not be taken, as it came and with the reasons, for whoever has to find out what is wrong. Kept for a few
days (`QUARANTINE_RETENTION`); what became right may be tried again.

A producer that sends nothing but nonsense must not fill the disk: of each source about a thousand a minute are kept,
the rest is only counted (`tallies`)."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, connection, transaction

from contacts import audit, authority, json_rows
from contacts.faults import Fault

log = logging.getLogger(__name__)

LONGEST_RAW = 8 * 1024  # bytes
CLIPPED = "…"  # the last character of what was longer; no JSON text ends with it
KEPT_A_MINUTE = 1_000  # of one source
MOST_AT_ONCE = 1_000  # that are tried again in one transaction

NOT_AGAIN = Fault("not_again", "came by a way by which it cannot be tried again; send it again from its source")
TOO_LONG_TO_KEEP = Fault("clipped", f"was longer than {LONGEST_RAW} bytes and is not here as a whole; send it again")


@dataclass(frozen=True)
class Refused:
    """`source`: api · segment · browser · kafka. `origin`: the name of the key, or topic/partition/offset. `raw`: the
    element as it came. `errors`: what is wrong, at least one."""

    source: str
    origin: str
    raw: str
    errors: Sequence[Fault]


@dataclass(frozen=True)
class Kept:
    """A row of the quarantine, as whoever tries it again needs it."""

    id: int
    source: str
    origin: str
    raw: str
    received_at: datetime


@dataclass(frozen=True)
class Retried:
    """How many were taken this time, and how many still are not."""

    taken: int
    refused: int


# In the caller's transaction; what is wrong with those that are refused again, by the id of the row.
Again = Callable[[Sequence[Kept], datetime], Mapping[int, Sequence[Fault]]]
_again: dict[str, Again] = {}


def register(source: str, again: Again) -> None:
    """Say how what came from `source` is tried again. Once per source, from `AppConfig.ready()`."""
    if source in _again:
        raise ValueError(f"how {source} is tried again is registered already")
    _again[source] = again


def keep(rows: Sequence[Refused], *, now: datetime) -> None:
    """Keep them in a transaction of its own, of each source no more than KEPT_A_MINUTE; the newest come too late. Never
    raises: the answer to whoever sent them must not depend on it."""
    by_source: dict[str, list[Refused]] = {}
    for row in rows:
        by_source.setdefault(row.source, []).append(row)
    try:
        for source, refused in by_source.items():
            with transaction.atomic():
                room = KEPT_A_MINUTE - _kept_lately(source, now)
                write(refused[: max(0, room)], now=now)
    except (DatabaseError, UnicodeEncodeError) as error:
        log.warning("%d rejected events could not be kept: %s", len(rows), type(error).__name__)


def _kept_lately(source: str, now: datetime) -> int:
    """Up to KEPT_A_MINUTE; the index on the time is read no further."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FROM (
                   SELECT FROM quarantined_events WHERE received_at > %s AND source = %s LIMIT %s) AS lately
            """,
            [now - timedelta(minutes=1), source, KEPT_A_MINUTE],
        )
        return cursor.fetchone()[0]


def write(rows: Sequence[Refused], *, now: datetime) -> None:
    """Keep them all, in the caller's transaction. For doors that may not lose one, such as Kafka's."""
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO quarantined_events (received_at, source, origin, raw, errors)
                SELECT %s, row->>0, row->>1, row->>2, row->3
                  FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS new(row, position) ORDER BY position
                """,
                [
                    now,
                    json_rows.dump(
                        (row.source, _storable(row.origin), clip(row.raw), [_said(fault) for fault in row.errors])
                        for row in rows
                    ),
                ],
            )


def clip(raw: str) -> str:
    """As PostgreSQL can hold it, and not longer than LONGEST_RAW bytes."""
    text = _storable(raw)
    data = text.encode()
    if len(data) <= LONGEST_RAW:
        return text
    return data[: LONGEST_RAW - len(CLIPPED.encode())].decode("utf-8", "ignore") + CLIPPED


def _storable(text: str) -> str:
    """NUL and what is not UTF-8 are written as escapes."""
    return text.replace("\x00", "\\u0000").encode("utf-8", "backslashreplace").decode()


def _said(fault: Fault) -> dict[str, Any]:
    said = fault.as_json()
    return {**said, "loc": [_storable(step) if isinstance(step, str) else step for step in fault.loc]}


# -- trying again ------------------------------------------------------------------------------------------------------


def try_again(ids: Sequence[int], *, now: datetime) -> Retried:
    """Send these rows (MOST_AT_ONCE at most) through their door once more, in the caller's transaction. What is taken
    is stamped `released_at`; what is not gets its new reasons. A row that was released stays as it is. Raises
    NotAllowed."""
    authority.require("contacts.change_quarantinedevent")
    rows = _claim(ids)
    faults: dict[int, Sequence[Fault]] = {}
    by_source: dict[str, list[Kept]] = {}
    for row in rows:
        if row.source not in _again:
            faults[row.id] = [NOT_AGAIN]
        elif row.raw.endswith(CLIPPED):
            faults[row.id] = [TOO_LONG_TO_KEEP]
        else:
            by_source.setdefault(row.source, []).append(row)
    for source, mine in by_source.items():
        faults |= _again[source](mine, now)
    taken = [row.id for row in rows if row.id not in faults]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE quarantined_events SET released_at = %s WHERE id = ANY(%s)", [now, taken])
        cursor.execute(
            """
            UPDATE quarantined_events q SET errors = new.row->1
              FROM jsonb_array_elements(%s::jsonb) AS new(row) WHERE q.id = (new.row->>0)::bigint
            """,
            [json_rows.dump((id, [_said(fault) for fault in found]) for id, found in faults.items())],
        )
    audit.note_each("quarantined_event.released", "quarantined_event", [(row_id, None, None) for row_id in taken])
    return Retried(taken=len(taken), refused=len(faults))


def _claim(ids: Sequence[int]) -> list[Kept]:
    """Locked, so that two people who press the button at once do not send the same twice."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, source, origin, raw, received_at FROM quarantined_events
             WHERE id = ANY(%s) AND released_at IS NULL ORDER BY id LIMIT %s FOR UPDATE
            """,
            [list(ids), MOST_AT_ONCE],
        )
        return [Kept(*row) for row in cursor.fetchall()]


# -- forgetting --------------------------------------------------------------------------------------------------------

_FORGOTTEN_AT_ONCE = 2_000
_SHORT = 6  # characters; a shorter name is looked for as a whole value only: "7" stands in nearly everything
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


def forget(names: Sequence[str]) -> int:
    """Delete what names this person, in the caller's transaction, and say how many rows it was. `names`: all their
    identifiers, as they were sent and as they are compared. Reads the whole quarantine, in pieces.

    Case does not matter, nor whether a character was escaped. A name of fewer than six characters counts only where
    it is a whole text or number of the element; a piece of a longer word is somebody else."""
    wanted = {name.strip().casefold() for name in names if name.strip()}
    if not wanted:
        return 0
    meant = re.compile("|".join(re.escape(name) if len(name) >= _SHORT else _whole(name) for name in wanted))
    deleted, after = 0, 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                "SELECT id, raw FROM quarantined_events WHERE id > %s ORDER BY id LIMIT %s", [after, _FORGOTTEN_AT_ONCE]
            )
            rows = cursor.fetchall()
            if not rows:
                return deleted
            after = rows[-1][0]
            found = [id for id, raw in rows if meant.search(_plain(raw))]
            if found:
                cursor.execute("DELETE FROM quarantined_events WHERE id = ANY(%s)", [found])
                deleted += cursor.rowcount


def _whole(name: str) -> str:
    """A text between its quotes, or a number."""
    name = re.escape(name)
    return rf'"\s*{name}\s*"|(?<![\w".-]){name}(?![\w".-])'


def _plain(raw: str) -> str:
    unescaped = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), raw).replace("\\/", "/")
    return unescaped.encode("utf-16", "surrogatepass").decode("utf-16", "replace").casefold()


def prune(*, before: datetime, limit: int) -> bool:
    """Delete up to `limit` rows that came before that instant; whether there were so many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM quarantined_events WHERE id IN (
                   SELECT id FROM quarantined_events WHERE received_at < %s ORDER BY received_at LIMIT %s)
            """,
            [before, limit],
        )
        return cursor.rowcount == limit
