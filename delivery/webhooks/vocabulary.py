"""Our words for what happens to a message, and the tables that lead there from a vendor's. Vendor words stop here: what
no table knows is `unknown`, never an error, and the raw body is kept in `webhook_inbox`."""

from __future__ import annotations

from collections.abc import Mapping

# -- our words, in the order in which a message usually meets them -----------------------------------------------------
PROCESSED = "processed"  # the provider is about to try
DEFERRED = "deferred"  # the receiving server asked to come back later; the provider will
DELIVERED = "delivered"  # the receiving server has it
REJECTED = "rejected"  # the provider dropped it and tried nothing
SOFT_BOUNCE = "soft_bounce"  # refused for now: mailbox full, blocked, a policy, a technical fault
HARD_BOUNCE = "hard_bounce"  # refused for good: nobody lives at this address
OPENED = "opened"  # its picture was fetched, by a person or by a machine (`is_machine`)
CLICKED = "clicked"  # a link in it was followed
COMPLAINED = "complained"  # marked as spam
UNSUBSCRIBED = "unsubscribed"  # no more marketing, please
RESUBSCRIBED = "resubscribed"  # an unsubscription at the provider was taken back; ours stand until they are released
UNKNOWN = "unknown"  # something that we have no word for

# What we record of it in the contact's event log. The rest is kept with the message alone.
EVENT_TYPES: Mapping[str, str] = {
    DEFERRED: "email_deferred",
    DELIVERED: "email_delivered",
    REJECTED: "email_rejected",
    SOFT_BOUNCE: "email_bounced",
    HARD_BOUNCE: "email_bounced",
    OPENED: "email_opened",
    CLICKED: "email_clicked",
    COMPLAINED: "email_complained",
    UNSUBSCRIBED: "email_unsubscribed",
}

# What follows for the address: (scope, reason). A channel as scope means its marketing.
CONSEQUENCES: Mapping[str, tuple[str, str]] = {
    HARD_BOUNCE: ("all", "hard_bounce"),
    COMPLAINED: ("all", "complaint"),
    UNSUBSCRIBED: ("email", "unsubscribe"),
}

# -- SendGrid's words --------------------------------------------------------------------------------------------------
SENDGRID_EVENTS: Mapping[str, str] = {
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
SENDGRID_BOUNCE_TYPES: Mapping[str, str] = {"blocked": SOFT_BOUNCE, "expired": SOFT_BOUNCE}
SENDGRID_BOUNCE_CLASSES: Mapping[str, str] = {
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
SENDGRID_DROP_REASONS: Mapping[str, tuple[str, str]] = {
    "unsubscribed address": ("email", "unsubscribe"),
    "bounced address": ("all", "hard_bounce"),
    "spam reporting address": ("all", "complaint"),
    "invalid": ("all", "hard_bounce"),
}
