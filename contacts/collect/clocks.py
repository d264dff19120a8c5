"""Producers' clocks, which may be wrong. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

TRANSIT = timedelta(seconds=10)  # as long as that, a request is under way; no clock is wrong
LATEST_DELIVERY = timedelta(hours=24)


def corrected(occurred_at: datetime | None, *, sent_at: datetime | None, received_at: datetime) -> datetime | None:
    """When it happened by our clock: `received_at - (sent_at - occurred_at)`, as in Segment's API, since only the time
    between two words of the same clock can be trusted. A time that cannot be told so stays what it was:

    - `sent_at` within ten seconds of ours: the clock is right. So the same request, sent again at once, keeps the
      minute that is part of the key of an event without an id.
    - `sent_at` more than 24 hours back: a request that was kept somewhere and came late looks just like a slow clock,
      and late events stay at their own age. A fast clock is corrected however fast: nothing arrives before it is sent.
    - it happened after it was sent, by more than those ten seconds: two different clocks said so."""
    if occurred_at is None or sent_at is None:
        return occurred_at
    behind = received_at - sent_at
    if abs(behind) <= TRANSIT or behind > LATEST_DELIVERY or occurred_at > sent_at + TRANSIT:
        return occurred_at
    try:
        return occurred_at + behind
    except OverflowError:
        return occurred_at
