"""The check of a segment against everybody, for as long as somebody waits for a page."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from contacts import transactions
from contacts.audiences import rebuilding
from contacts.models import Contact

PATIENCE = 15.0  # seconds


@dataclass(frozen=True)
class Checked:
    """`wrong`: memberships that did not agree with the condition and of which nothing was known to come."""

    wrong: int
    contacts: int
    complete: bool


def check(slug: str, *, repair: bool) -> Checked:
    """Compute membership afresh chunk by chunk, each in a transaction of its own, until it is done or PATIENCE is over
    (then `complete` is false; the command does the rest)."""
    differences = rebuilding.Differences()
    until = time.monotonic() + PATIENCE
    after = 0
    while time.monotonic() < until:
        upto, found = transactions.run(partial(_chunk, after, repair))
        differences.add(found)
        if upto is None:
            return Checked(differences.wrong[slug], 0, complete=True)
        after = upto
    return Checked(differences.wrong[slug], Contact.objects.filter(pk__lte=after).count(), complete=False)


def _chunk(after: int, repair: bool, now: datetime) -> tuple[int | None, rebuilding.Differences]:
    return rebuilding.rebuild_chunk(after=after, now=now, repair=repair)
