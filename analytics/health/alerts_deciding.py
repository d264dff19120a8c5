"""When an alert opens, closes, and is told of. Pure: no database, no clock.

What was seen must hold before it opens an alert, and be gone for a time before it closes one. What is open is told
once, again after a time for as long as it lasts, and at once when it becomes critical; the end is told of whatever was
told of. A silence holds back all but the worsening and the end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from analytics.health.alerts import CRITICAL, Source

OPENED, WORSE, AGAIN, CLOSED = "opened", "worse", "again", "closed"


@dataclass(frozen=True)
class State:
    """Of an alert that is not closed. `opened_at` None: it is brewing."""

    severity: str
    began_at: datetime
    opened_at: datetime | None = None
    gone_since: datetime | None = None
    closed_at: datetime | None = None
    told_at: datetime | None = None
    silenced_until: datetime | None = None


@dataclass(frozen=True)
class Decision:
    """`state` None: what was brewing is forgotten. `news`: what to tell (opened · worse · again · closed), or empty."""

    state: State | None
    news: str = ""


def seen(
    state: State | None,
    severity: str,
    *,
    source: Source,
    at: datetime,
    again_after: timedelta,
    can_tell: bool,
    silenced_until: datetime | None = None,
) -> Decision:
    """It is there at this instant. `silenced_until` counts for a new one: the silence of the last alert of the key."""
    if state is None:
        state = State(severity, began_at=at, silenced_until=silenced_until)
    is_worse = severity == CRITICAL and state.severity != CRITICAL
    state = replace(state, severity=CRITICAL if is_worse else state.severity, gone_since=None)
    if state.opened_at is None and at - state.began_at >= source.opens_after:
        state = replace(state, opened_at=at)
    news = _news(state, is_worse, at, again_after) if can_tell and state.opened_at else ""
    return Decision(replace(state, told_at=at) if news else state, news)


def _news(state: State, is_worse: bool, at: datetime, again_after: timedelta) -> str:
    if state.told_at is not None and is_worse:
        return WORSE
    if state.silenced_until is not None and state.silenced_until > at:
        return ""
    if state.told_at is None:
        return OPENED
    return AGAIN if at - state.told_at >= again_after else ""


def gone(state: State, *, source: Source, at: datetime, can_tell: bool) -> Decision:
    """It is not there at this instant."""
    if state.opened_at is None:
        return Decision(None)
    gone_since = state.gone_since or at
    if at - gone_since < source.closes_after:
        return Decision(replace(state, gone_since=gone_since))
    closed = replace(state, gone_since=gone_since, closed_at=at)
    return Decision(closed, CLOSED if can_tell and state.told_at is not None else "")
