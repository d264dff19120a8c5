"""Whoever says "no more" while a batch is being sent waits until their mail is out of it (`suppression.drain`,
`withdrawals.drain`). The sender looks for them between two letters, and while it waits for answers: what has not begun
is left where it is, and what has begun is written down as soon as it is answered, not with the slowest of the batch.

A look reads without locks, so it is a hint and never a permission: the gate has decided, and decides again about
whatever was put back."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from django.db import connection

from contacts import clock
from delivery import gate
from delivery.gate import Claim

LOOK_EVERY = 0.02  # seconds; a look is a statement, and two more where somebody has said something


class Farewells:
    """Of the people of these claims. The first look is made LOOK_EVERY after the batch was begun."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self._claims = claims
        self._next = time.monotonic() + LOOK_EVERY
        self._newest: tuple[int, int] | None = None
        self._gone: frozenset[str] = frozenset()

    def gone(self) -> Collection[str]:
        """The messages (`public_id`) that may not be sent any more, as of the last look; a new one if it is time."""
        if time.monotonic() >= self._next:
            self._look()
            self._next = time.monotonic() + LOOK_EVERY
        return self._gone

    def _look(self) -> None:
        """Numbers are drawn before they are committed, so one that comes late behind a higher one is passed over; then
        the waiting takes as long as it would without anybody looking."""
        newest = _newest()
        if newest != self._newest:
            self._newest = newest
            self._gone = gate.refused(self._claims, now=clock.now())


def _newest() -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COALESCE((SELECT max(id) FROM suppressions), 0), COALESCE((SELECT max(id) FROM consent_records), 0)"
        )
        suppression, consent = cursor.fetchone()
        return suppression, consent
