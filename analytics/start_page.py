"""What is happening, for the admin's start page: one frozen structure, read in a handful of statements.

The template gets it as `start` (a `StartPage`). Everything in it is a plain value, ready to be shown; instants are
aware UTC datetimes, ages are seconds, and nothing is None except an age where the queue is empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest

from analytics import books, queues
from contacts import clock

SKIPPED = ("suppressed", "capped", "cancelled")
OUTCOMES = ("accepted", "rejected", "in_doubt", "undetermined", *SKIPPED)


@dataclass(frozen=True)
class Journey:
    """A published workflow. `here_now` counts everybody who is unfinished: pending, active and waiting; `waiting` those
    of them who stand at a wait. `entered` = here_now + completed + exited + failed."""

    slug: str
    name: str
    status: str  # live · paused
    entered: int
    here_now: int
    waiting: int
    completed: int
    exited: int
    failed: int


@dataclass(frozen=True)
class Outcome:
    """How many messages came to `state` in the last 24 hours, and why where a reason is kept, most frequent first:
    (("frequency_cap", 12), ("unsubscribe", 3)). States without messages are left out."""

    state: str  # one of OUTCOMES
    count: int
    reasons: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class StartPage:
    """contacts      -- people, without merged and erased ones
    events_today  -- recorded since midnight UTC
    opens         -- messages opened by a human, ever
    mqls          -- contacts that ever became marketing qualified
    journeys      -- live and paused ones, by name
    outcomes      -- messages of the last 24 hours, in the order of OUTCOMES; `sent` and `skipped` are sums of it
    queues        -- every queue with its lane, depth, oldest age in seconds and whether that is too old
    balanced      -- whether every book balances; `unbalanced` are the books that do not (name, left, right)"""

    at: datetime
    contacts: int
    events_today: int
    opens: int
    mqls: int
    journeys: tuple[Journey, ...]
    outcomes: tuple[Outcome, ...]
    sent: int
    skipped: int
    queues: tuple[queues.Queue, ...]
    balanced: bool
    unbalanced: tuple[books.Book, ...]
