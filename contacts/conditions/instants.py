"""ISO 8601 dates and instants as conditions read them. Pure.

The SQL function `instant_of` (migration 0003) accepts exactly the same texts: this one reads what stands in a
condition, that one what stands in a contact's attributes and an event's properties.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_INSTANT = re.compile(
    r"([1-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"(?:[Tt ]([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9])(\.[0-9]{1,9})?)?"
    r"([Zz]|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)?)?",
)


def parse_instant(text: str) -> datetime:
    """`2026-03-04`, `2026-03-04T09:30`, `2026-03-04T09:30:00.5+02:00` as an aware datetime in UTC.

    A date is the midnight that begins it; without an offset the text is taken as UTC; what is finer than a microsecond
    is cut off. Raises ValueError."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError("not an ISO 8601 date or instant")
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        local = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or ".0")[1:7].ljust(6, "0")),
            tzinfo=_zone(offset),
        )
        return local.astimezone(UTC)
    except OverflowError as error:  # the last hours of the year 9999
        raise ValueError("outside the calendar") from error


def _zone(offset: str | None) -> timezone:
    if offset is None or offset in "Zz":
        return UTC
    digits = offset[1:].replace(":", "").ljust(4, "0")
    span = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-span if offset[0] == "-" else span)
