"""The days that a journey's numbers can be asked of: whole days of UTC, as they are counted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

RANGES = {"": "All time", "today": "Today", "7": "7 days", "30": "30 days", "90": "90 days"}


def today(now: datetime) -> date:
    return now.astimezone(UTC).date()


def since(span: str, now: datetime) -> date | None:
    """The first day of the range; today is one of them."""
    if not span:
        return None
    return today(now) if span == "today" else today(now) - timedelta(days=int(span) - 1)


def until(span: str, now: datetime) -> date | None:
    return today(now) if span else None
