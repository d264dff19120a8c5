"""Mailgun's words in ours: `event:severity:reason` of what failed. Of the older webhooks, `event:code`."""

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
    "failed:permanent:bounce": HARD_BOUNCE,
    "failed:permanent:suppress-bounce": REJECTED,
    "failed:permanent:suppress-complaint": REJECTED,
    "failed:permanent:suppress-unsubscribe": REJECTED,
    "failed:permanent:old": SOFT_BOUNCE,  # it was tried until it was too old
}

LISTED: Mapping[str, tuple[str, str]] = {
    "failed:permanent:suppress-bounce": LISTED_BOUNCE,
    "failed:permanent:suppress-complaint": LISTED_COMPLAINT,
    "failed:permanent:suppress-unsubscribe": LISTED_UNSUBSCRIBE,
    "dropped:605": LISTED_BOUNCE,
    "dropped:607": LISTED_COMPLAINT,
    "dropped:606": LISTED_UNSUBSCRIBE,
}

# A refusal for good says that nobody is there only with one of these; 5.7.1 is a policy, 5.2.2 a full mailbox.
NOBODY_THERE = ("5.1.1", "5.1.10", "5.1.2", "5.1.3", "5.1.6", "5.4.1")
