"""Mandrill's words in ours."""

from __future__ import annotations

from collections.abc import Mapping

from delivery.webhooks.vocabulary import (
    HARD_BOUNCE,
    LISTED_BOUNCE,
    LISTED_COMPLAINT,
    LISTED_UNSUBSCRIBE,
    REJECTED,
    SOFT_BOUNCE,
)

KINDS: Mapping[str, str] = {
    "hard_bounce": HARD_BOUNCE,
    "soft_bounce": SOFT_BOUNCE,
    "reject:hard-bounce": REJECTED,
    "reject:spam": REJECTED,
    "reject:unsub": REJECTED,
}

ON_THEIR_LIST: Mapping[str, tuple[str, str]] = {
    "reject:hard-bounce": LISTED_BOUNCE,
    "reject:spam": LISTED_COMPLAINT,
    "reject:unsub": LISTED_UNSUBSCRIBE,
}
