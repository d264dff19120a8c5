"""How lists go to PostgreSQL and how instants come from it: as psycopg does it, without a regular expression for each
element, which took a fifth of a worker's time (docs/decisions/0059).

`register()` once; every connection that is opened from then on has them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import NoneType
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from psycopg import DataError
from psycopg.abc import Buffer, Dumper
from psycopg.types.array import ListDumper
from psycopg.types.datetime import TimestamptzLoader


def register() -> None:
    connection_created.connect(_adapt, dispatch_uid="contacts.adapters")


def _adapt(sender: type, connection: BaseDatabaseWrapper, **_: Any) -> None:
    if connection.vendor == "postgresql":
        connection.connection.adapters.register_dumper(list, QuickListDumper)
        if connection.timezone is UTC:
            connection.connection.adapters.register_loader("timestamptz", QuickInstantLoader)


class QuickListDumper(ListDumper):
    """Lists that are not nested; those of text, of whole numbers or of instants are written without asking psycopg what
    each element is."""

    def dump(self, obj: list[Any]) -> Buffer | None:
        kinds = set(map(type, obj)) - {NoneType}
        if (
            not kinds
            or self.sub_dumper is None
            or self.delimiter != b","
            or any(issubclass(kind, list) for kind in kinds)
        ):
            return super().dump(obj)
        write = _WRITERS.get(kinds.pop()) if len(kinds) == 1 else None
        if write is None:
            return self._dump_each(obj, self.sub_dumper)
        written = f"{{{','.join([_NULL if item is None else write(item) for item in obj])}}}"
        if "\0" in written:
            raise DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
        return written.encode(self._tx.encoding)

    def _dump_each(self, obj: list[Any], dumper: Dumper) -> bytes:
        parts = []
        for item in obj:
            part = None if item is None else dumper.dump(item)
            if part is None:
                parts.append(b"NULL")
            else:
                parts.append(b'"%b"' % bytes(part).replace(b"\\", b"\\\\").replace(b'"', b'\\"'))
        return b"{%b}" % b",".join(parts)


_NULL = "NULL"


def _text(item: str) -> str:
    item = item.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{item}"'


def _instant(item: datetime) -> str:
    return f'"{item}"'


_WRITERS: dict[type, Callable[[Any], str]] = {str: _text, int: str, datetime: _instant}


class QuickInstantLoader(TimestamptzLoader):
    """For connections of UTC, which all of ours are. `timezone` is what Django asks its own loader for."""

    timezone = UTC

    def load(self, data: Buffer) -> datetime:
        try:
            found = datetime.fromisoformat(bytes(data).decode("ascii"))
        except ValueError:  # before year 1, or infinite
            return super().load(data)
        return found if found.tzinfo is UTC else found.astimezone(UTC)
