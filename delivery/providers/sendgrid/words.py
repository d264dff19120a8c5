"""SendGrid's words for what happens to a message, in ours."""

from __future__ import annotations

from collections.abc import Mapping

from delivery.webhooks.vocabulary import (
    CLICKED,
    COMPLAINED,
    DEFERRED,
    DELIVERED,
    HARD_BOUNCE,
    LISTED_BOUNCE,
    LISTED_COMPLAINT,
    LISTED_UNSUBSCRIBE,
    OPENED,
    PROCESSED,
    REJECTED,
    RESUBSCRIBED,
    SOFT_BOUNCE,
    UNSUBSCRIBED,
)

EVENTS: Mapping[str, str] = {
    "processed": PROCESSED,
    "deferred": DEFERRED,
    "delivered": DELIVERED,
    "dropped": REJECTED,
    "bounce": HARD_BOUNCE,  # unless the tables below know better
    "blocked": SOFT_BOUNCE,
    "open": OPENED,
    "click": CLICKED,
    "spamreport": COMPLAINED,
    "unsubscribe": UNSUBSCRIBED,
    "group_unsubscribe": UNSUBSCRIBED,
    "group_resubscribe": RESUBSCRIBED,
}
BOUNCE_TYPES: Mapping[str, str] = {"blocked": SOFT_BOUNCE, "expired": SOFT_BOUNCE}
BOUNCE_CLASSES: Mapping[str, str] = {
    "invalid address": HARD_BOUNCE,
    "mailbox unavailable": SOFT_BOUNCE,
    "technical": SOFT_BOUNCE,
    "technical failure": SOFT_BOUNCE,
    "content": SOFT_BOUNCE,
    "reputation": SOFT_BOUNCE,
    "frequency or volume too high": SOFT_BOUNCE,
    "frequency/volume": SOFT_BOUNCE,
}
# Dropped because the address stands on SendGrid's own list: that list becomes ours. Any other reason says nothing
# about the address.
DROP_REASONS: Mapping[str, tuple[str, str]] = {
    "unsubscribed address": LISTED_UNSUBSCRIBE,
    "bounced address": LISTED_BOUNCE,
    "spam reporting address": LISTED_COMPLAINT,
    "invalid": LISTED_BOUNCE,
}
