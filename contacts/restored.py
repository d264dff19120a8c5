"""Whether this database is a restored copy. Then mail went out, and calls were made, of which it does not know, and
everything would go out once more; so whoever works looks before anything is claimed, and freezes it.

A row says which database the installation worked with last (PostgreSQL's cluster and the number of the database in it),
and holds a beat: a number that rises whenever a process that works starts, and every BEAT_SECONDS. The highest one is
remembered in Redis and in a folder. Another database than the row says: a dump was restored elsewhere. A beat behind
what is remembered: an earlier state was put back in its place, or a standby took over that had not got everything.

What nobody can tell: an earlier state put back in place where neither memory is left, or one that is younger than the
last beat. A memory can only lag behind the row, never be ahead of it, so nothing is frozen by mistake."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import redis
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from contacts import freezing, redis_index, transactions

log = logging.getLogger(__name__)

BEAT_SECONDS = 10.0
_CONTROL = "pg_control_system()"
_looked = {"pid": 0}  # a worker's children look for themselves


@dataclass(frozen=True)
class Identity:
    """Of a database. `system` empty: PostgreSQL does not let us read it."""

    system: str
    oid: int

    def is_other_than(self, other: Identity) -> bool:
        return self.oid != other.oid or bool(self.system and other.system and self.system != other.system)


def look_first() -> None:
    """Once in each process, before it does any work. Raises DatabaseError, and is then not done."""
    if _looked["pid"] != os.getpid():
        beat()
        _looked["pid"] = os.getpid()


def beat() -> str:
    """Look and raise the beat, in a transaction of its own. Returns why everything was frozen; empty: nothing is the
    matter. Raises DatabaseError."""
    lineage, number, reason = transactions.run(_beat, aside=True)
    _remember(lineage, number)
    if reason:
        log.warning("everything is frozen until somebody releases it: %s", reason)
    return reason


def identity() -> Identity:
    """Of the database that we are connected with."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT oid FROM pg_database WHERE datname = current_database()")
        oid = cursor.fetchone()[0]
        try:
            with transaction.atomic():
                cursor.execute(f"SELECT system_identifier::text FROM {_CONTROL}")
                return Identity(cursor.fetchone()[0], oid)
        except DatabaseError:  # a managed PostgreSQL may keep it to itself
            return Identity("", oid)


def _beat(now: datetime) -> tuple[str, int, str]:
    actual = identity()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO installation (lineage, system_identifier, database_oid, beat, beaten_at)
            VALUES (%s, %s, %s, 0, %s) ON CONFLICT DO NOTHING
            """,
            [uuid4(), actual.system, actual.oid, now],
        )
        cursor.execute(
            "SELECT lineage::text, system_identifier, database_oid, beat, beaten_at FROM installation FOR UPDATE"
        )
        lineage, system, oid, number, beaten_at = cursor.fetchone()
        # under the lock of the row: nobody raises it further, and it was raised before it was remembered
        remembered = _remembered(lineage)
        reason = ""
        if actual.is_other_than(Identity(system, oid)):
            lineage = str(uuid4())  # the one that it was copied from goes on, and remembers its own beats
            reason = "this is a copy: it last worked in another database"
        elif number < remembered:
            reason = f"this is an earlier state: it is {remembered - number} beats behind what was seen here"
        if reason:
            freezing.freeze_restored(reason=reason, snapshot_at=beaten_at, now=now)
        number = max(number, remembered) + 1
        cursor.execute(
            "UPDATE installation"
            " SET lineage = %s, system_identifier = %s, database_oid = %s, beat = %s, beaten_at = %s",
            [lineage, actual.system or ("" if reason else system), actual.oid, number, now],
        )
    return lineage, number, reason


# -- what is remembered elsewhere --------------------------------------------------------------------------------------


def _remembered(lineage: str) -> int:
    """The highest beat that any memory has; 0 where none has any."""
    return max(_in_redis(lineage), _in_folder(lineage))


def _in_redis(lineage: str) -> int:
    try:
        found = cast(Any, redis_index.connection().zscore(_key(), lineage))
    except redis.RedisError as error:
        log.debug("no beat read from Redis: %s", type(error).__name__)
        return 0
    return int(found or 0)


def _in_folder(lineage: str) -> int:
    if not settings.BEAT_MEMORY_DIR:
        return 0
    try:
        return int(_file(lineage).read_text())
    except (OSError, ValueError):
        return 0


def _remember(lineage: str, number: int) -> None:
    """After the commit; a memory that is away is done without."""
    try:
        redis_index.connection().zadd(_key(), {lineage: number}, gt=True)
    except redis.RedisError as error:
        log.debug("beat not remembered in Redis: %s", type(error).__name__)
    if not settings.BEAT_MEMORY_DIR or _in_folder(lineage) >= number:
        return
    path = _file(lineage)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(str(number))
        draft.replace(path)
    except OSError as error:
        log.debug("beat not remembered in BEAT_MEMORY_DIR: %s", type(error).__name__)


def _key() -> str:
    return redis_index.key("installation:beats")


def _file(lineage: str) -> Path:
    return Path(settings.BEAT_MEMORY_DIR) / f"{lineage}.beat"
