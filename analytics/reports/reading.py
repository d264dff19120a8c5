"""A report's rows, read from the marts as they were built last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, OperationalError, ProgrammingError, connections, transaction

from analytics.reports.asked import Asked
from analytics.reports.report import OneOf, Report
from analytics.warehouse import runs
from contacts.patience import TookTooLong, at_most
from contacts.transactions import sqlstate

SCHEMA = "marts"
REPLICA = "analytics"  # of the database, where ANALYTICS_DATABASE_URL names one
MILLISECONDS = 10_000
MOST = 100_000  # rows of a file
MOST_SHOWN = 500  # of a page
MOST_OPTIONS = 500
_NO_TABLE, _NO_COLUMN, _NO_SCHEMA = "42P01", "42703", "3F000"


class Unreadable(Exception):
    """There is nothing to read now; the words are for people."""


class NotBuilt(Unreadable):
    """The mart is not there, or was built before the report asked for what it asks for now."""


class TooSlow(Unreadable):
    """The question took longer than it may."""


@dataclass(frozen=True)
class Rows:
    """`rows`: values in the order of the report's columns. `is_cut`: there are more."""

    rows: Sequence[tuple[Any, ...]]
    is_cut: bool


def read(report: Report, asked: Asked, *, most: int = MOST) -> Rows:
    """At most `most` rows, in one statement that only reads. Raises NotBuilt and TooSlow."""
    rows = _fetch(f"SELECT * FROM ({report.query}) AS answer LIMIT {most + 1}", asked.values)
    return Rows(rows[:most], len(rows) > most)


def options(report: Report) -> Mapping[str, Sequence[str]]:
    """Filter -> the values that the mart has, in their order, for those filters whose values are not written down. One
    statement each. Raises NotBuilt and TooSlow."""
    found = {}
    for each in report.filters:
        if isinstance(each, OneOf):
            rows = _fetch(
                f"SELECT DISTINCT {each.column}::text FROM {SCHEMA}.{report.mart}"
                f" WHERE {each.column} IS NOT NULL ORDER BY 1 LIMIT {MOST_OPTIONS}",
                {},
            )
            found[each.key] = [value for (value,) in rows]
    return found


def as_of() -> datetime | None:
    """When the marts were built last; None: never."""
    run = runs.last_success()
    return run.finished_at if run else None


def _fetch(statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    using = REPLICA if REPLICA in connections.settings else DEFAULT_DB_ALIAS
    try:
        with transaction.atomic(using), at_most(MILLISECONDS, using=using), connections[using].cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()
    except TookTooLong as error:
        raise TooSlow("The question took too long. Ask for fewer days.") from error
    except OperationalError as error:
        if using != REPLICA:
            raise
        # it is away, or had to end the question since it is behind: work goes on without it
        raise Unreadable("The replica that reports are read from did not answer. Try again in a moment.") from error
    except ProgrammingError as error:
        if sqlstate(error) not in (_NO_TABLE, _NO_COLUMN, _NO_SCHEMA):
            raise
        if sqlstate(error) == _NO_COLUMN:
            raise NotBuilt("The warehouse was built by an older version. Build it again.") from error
        raise NotBuilt("The warehouse has not been built yet.") from error
