"""Sending messages anew that were given up: one, or hundreds of them, and why the others are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpRequest

from contacts import clock
from delivery import dead_letters

IN_ONE_REQUEST = 5_000  # a second or two
REFUSALS = {
    "open": "under way again",
    "reported": "something was reported of it, so the provider had it",
    "in_doubt": "may have been sent",
    "undetermined": "may have been sent",
    "accepted": "was sent",
    "suppressed": "was kept back by a suppression",
    "capped": "was kept back by the frequency cap",
    "cancelled": "was cancelled",
    "unknown": "is not there any more",
}


def replay(message_ids: Sequence[int], request: HttpRequest) -> None:
    """Send these anew, and tell whoever asked what became of them. A transaction for every thousand."""
    done = 0
    refused: Counter[str] = Counter()
    for start in range(0, len(message_ids), dead_letters.MOST):
        some = dead_letters.replay(message_ids[start : start + dead_letters.MOST], now=clock.now())
        done += len(some.messages)
        refused.update(REFUSALS.get(why, why) for why in some.refused.values())
    if done:
        messages.success(request, f"Queued again: {done:,}. The gate decides anew whether each may go.")
    for why, count in sorted(refused.items()):
        messages.warning(request, f"Left as they are: {count:,} ({why}).")
    if not done and not refused:
        messages.info(request, "None was chosen.")
