"""Standing still: while everything is frozen, whatever comes is recorded and nothing goes on and nothing leaves; while
one workflow is frozen, nothing of it does.

A freeze is a row, and every claim asks for it in the statement that locks its rows (`THAWED`). PostgreSQL locks the
tables of a statement before it takes the snapshot for it; so once `settle` has held each table for an instant, whoever
claimed without seeing the freeze has committed, and whoever claims from then on sees it. What was claimed before is
waited for, as withdrawals wait (`delivery.withdrawals`). The claims pay nothing for that: no lock and no statement."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import OperationalError, connection, transaction

from contacts import audit, authority, transactions

BY_HAND, RESTORED = "by_hand", "restored"
FREEZE = "contacts.freeze_installation"
LONGEST_REASON = 500

# For the WHERE of a claim. Without a column of the statement it is asked once for all rows, before any is looked for.
THAWED = "NOT EXISTS (SELECT FROM freezes WHERE workflow_id IS NULL AND ended_at IS NULL)"
# `id IN (…)`: beware of rows that belong to no workflow, for which that is null
FROZEN_WORKFLOWS = "SELECT workflow_id FROM freezes WHERE workflow_id IS NOT NULL AND ended_at IS NULL"

PATIENCE_SECONDS = 60.0  # for everything that is under way
LOCK_MS = 500  # after which those who queue up behind us are let through
STEP_SECONDS = 0.02


class StillUnderWay(Exception):
    """The freeze stands; but something that was claimed before it has not ended in PATIENCE_SECONDS."""


@dataclass(frozen=True)
class Standing:
    """A freeze that stands. `workflow_id` None: everything."""

    id: int
    workflow_id: int | None
    kind: str
    reason: str
    began_at: datetime
    began_by: str
    resumes: bool
    snapshot_at: datetime | None


@dataclass(frozen=True)
class Way:
    """By which something leaves: the table whose rows are claimed for it, and a condition (`%(workflow)s` null: of all
    workflows) under which a request may still begin for such a row."""

    table: str
    under_way: str


_ways: dict[str, Way] = {}
_COLUMNS = "id, workflow_id, kind, reason, began_at, began_by, resumes, snapshot_at"


def leaves_by(*ways: Way) -> None:
    """A floor says what it sends things from, in `AppConfig.ready()`."""
    _ways.update({way.table: way for way in ways})


def standing() -> list[Standing]:
    """All that stand: of the whole first, the oldest first. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM freezes WHERE ended_at IS NULL ORDER BY workflow_id NULLS FIRST, began_at, id"
        )
        return [Standing(*row) for row in cursor.fetchall()]


def is_frozen() -> bool:
    """Whether everything is."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT NOT ({THAWED})")
        return cursor.fetchone()[0]


def freeze(
    *,
    reason: str,
    workflow_id: int | None = None,
    of: tuple[str, object] = ("installation", "all"),
    resumes: bool = False,
    now: datetime,
) -> bool:
    """In the caller's transaction, after which `settle` waits for what is under way. Returns whether it did not stand
    yet. `of`: what the audit log calls it; `resumes`: the workflow was live. Raises NotAllowed."""
    actor = authority.require(FREEZE)
    made = _write(BY_HAND, reason, by=str(actor), workflow_id=workflow_id, resumes=resumes, now=now)
    if made:
        audit.note(f"{of[0]}.frozen", of=of, before={"frozen": False}, after={"frozen": True, "reason": reason})
    return made


def freeze_restored(*, reason: str, snapshot_at: datetime, now: datetime) -> bool:
    """By the installation itself, which has found that it is a restored copy (`contacts.restored`)."""
    made = _write(RESTORED, reason, by=str(authority.HOUSE), snapshot_at=snapshot_at, now=now)
    if made:
        after = {"frozen": True, "reason": reason, "snapshot_at": snapshot_at.isoformat()}
        audit.note("installation.frozen", of=("installation", "all"), before={"frozen": False}, after=after)
    return made


def _write(
    kind: str,
    reason: str,
    *,
    by: str,
    workflow_id: int | None = None,
    resumes: bool = False,
    snapshot_at: datetime | None = None,
    now: datetime,
) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO freezes (workflow_id, kind, reason, began_at, began_by, resumes, snapshot_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s)
                ON CONFLICT (COALESCE(workflow_id, 0), kind) WHERE ended_at IS NULL DO NOTHING
            """,
            [workflow_id, kind, reason[:LONGEST_REASON], now, by, resumes, snapshot_at],
        )
        return cursor.rowcount > 0


def release(
    *,
    workflow_id: int | None = None,
    of: tuple[str, object] = ("installation", "all"),
    now: datetime,
) -> list[Standing]:
    """End what stands, in the caller's transaction; what waits goes on by itself within seconds. Returns what was
    ended. Raises NotAllowed."""
    actor = authority.require(FREEZE)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE freezes SET ended_at = %s, ended_by = %s
             WHERE ended_at IS NULL AND workflow_id IS NOT DISTINCT FROM %s RETURNING {_COLUMNS}
            """,
            [now, str(actor), workflow_id],
        )
        ended = sorted((Standing(*row) for row in cursor.fetchall()), key=lambda each: each.id)
    if ended:
        before = {"frozen": True, "kind": [each.kind for each in ended]}
        audit.note(f"{of[0]}.released", of=of, before=before, after={"frozen": False})
    return ended


def settle(*, workflow_id: int | None = None, patience: float = PATIENCE_SECONDS) -> None:
    """After the commit of a freeze: wait until no request can begin that was claimed before it. Usually milliseconds,
    and no longer than the lease of what is under way. Raises StillUnderWay."""
    give_up = time.monotonic() + patience
    for way in _ways.values():
        while not _held_for_an_instant(way.table):
            _pause(give_up)
    for way in _ways.values():
        while _is_under_way(way, workflow_id):
            _pause(give_up)


def _pause(give_up: float) -> None:
    if time.monotonic() > give_up:
        raise StillUnderWay(f"something that was claimed before the freeze did not end in {PATIENCE_SECONDS:.0f} s")
    time.sleep(STEP_SECONDS)


def _held_for_an_instant(table: str) -> bool:
    """One table at a time, so that we are part of no deadlock; readers, such as a backup, are in nobody's way."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{LOCK_MS}ms"])
            cursor.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
    except OperationalError as error:
        if transactions.sqlstate(error) not in transactions.PASSING:
            raise
        return False
    return True


def _is_under_way(way: Way, workflow_id: int | None) -> bool:
    with connection.cursor() as cursor:
        # now() in the condition, not a parameter: each look reads the leases by the present clock
        cursor.execute(f"SELECT EXISTS (SELECT FROM {way.table} q WHERE {way.under_way})", {"workflow": workflow_id})
        return cursor.fetchone()[0]


def names(found: Sequence[Standing]) -> str:
    """In a sentence, for a line or a log."""
    return "; ".join(dict.fromkeys(each.reason for each in found))
