"""Which time zones there are: the pinned tz database's, not the machine's."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones


@cache
def known() -> frozenset[str]:
    """Every IANA name. Read once: it walks the whole database."""
    return frozenset(available_timezones())
