"""Mailjet's words in ours: `bounce:hard` and `bounce:soft`, and why something was blocked."""

from __future__ import annotations

from collections.abc import Mapping

from delivery.webhooks.vocabulary import DEFERRED, HARD_BOUNCE, LISTED, LISTED_COMPLAINT, SOFT_BOUNCE

KINDS: Mapping[str, str] = {
    "bounce:hard": HARD_BOUNCE,
    "bounce:soft": SOFT_BOUNCE,
    "bounce:greylisted": DEFERRED,
}

ON_THEIR_LIST: Mapping[str, tuple[str, str]] = {
    "blocked:preblocked": LISTED,
    "blocked:blacklisted": LISTED,
    "blocked:spam reporter": LISTED_COMPLAINT,
}

# Mailjet calls these hard, though the address may well exist.
NOT_FOR_GOOD = frozenset({"sender blocked", "content blocked", "policy issue", "spam reporter", "quota exceeded"})
