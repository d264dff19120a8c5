"""Amazon's words in ours: the type of an event; of a bounce, its type and sub-type."""

from __future__ import annotations

from collections.abc import Mapping

from delivery.webhooks.vocabulary import (
    CLICKED,
    COMPLAINED,
    DEFERRED,
    DELIVERED,
    HARD_BOUNCE,
    LISTED,
    OPENED,
    PROCESSED,
    REJECTED,
    SOFT_BOUNCE,
    UNSUBSCRIBED,
)

KINDS: Mapping[str, str] = {
    "send": PROCESSED,
    "delivery": DELIVERED,
    "deliverydelay": DEFERRED,
    "open": OPENED,
    "click": CLICKED,
    "complaint": COMPLAINED,
    "reject": REJECTED,
    "rendering failure": REJECTED,
    "renderingfailure": REJECTED,
    "subscription": UNSUBSCRIBED,
    "bounce": SOFT_BOUNCE,  # of any type that is not below
    "bounce:permanent:general": HARD_BOUNCE,
    "bounce:permanent:noemail": HARD_BOUNCE,
    "bounce:permanent:suppressed": REJECTED,
    "bounce:permanent:onaccountsuppressionlist": REJECTED,
}

ON_THEIR_LIST: Mapping[str, tuple[str, str]] = {
    "bounce:permanent:suppressed": LISTED,
    "bounce:permanent:onaccountsuppressionlist": LISTED,
}

# Where an event of each type names its recipients, beside `mail.destination`.
RECIPIENTS: Mapping[str, str] = {
    "bounce": "bouncedRecipients",
    "complaint": "complainedRecipients",
    "delivery": "recipients",
    "deliverydelay": "delayedRecipients",
}
