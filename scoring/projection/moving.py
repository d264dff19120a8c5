"""An instant that a statement takes from its rows: what is compiled for one instant becomes an expression over many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from contacts.conditions import Sql


class Moving(datetime):
    """Stands for the instant while SQL is compiled; counting back from it gives another one. It has no date, so it
    refuses to be written as one."""

    def isoformat(self, *args: Any, **kwargs: Any) -> str:
        raise TypeError("an instant that moves cannot be written into a statement")

    def timestamp(self) -> float:
        raise TypeError("an instant that moves is no number")

    __str__ = isoformat


_ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
MOVING = Moving(2000, 1, 1, tzinfo=UTC)


def over(compiled: Sql, column: str) -> Sql:
    """What was compiled at MOVING, with `column` (an expression of timestamptz) in the place of every instant."""
    pieces = compiled.text.split("%s")
    text, params = [pieces[0]], []
    for param, piece in zip(compiled.params, pieces[1:], strict=True):
        if isinstance(param, Moving):
            text.append(_counted(param, column))
        else:
            text.append("%s")
            params.append(param)
        text.append(piece)
    return Sql("".join(text), params)


def _counted(instant: Moving, column: str) -> str:
    back: timedelta = _ORIGIN - instant
    if not back:
        return column
    # in microseconds, which a float of seconds may not hold
    return f"({column} - {back // timedelta(microseconds=1)} * interval '1 microsecond')"
