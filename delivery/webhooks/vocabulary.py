"""Our words for what happens to a message. The tables that lead here from a vendor's words lie in its folder
(`delivery/providers/<name>/words.py`), where vendor words stop: what no table knows is `unknown`, never an error, and
the raw body is kept in `webhook_inbox`."""

from __future__ import annotations

from collections.abc import Mapping

# in the order in which a message usually meets them
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

# What follows where the provider dropped a message for its own list of addresses: that list becomes ours.
LISTED_BOUNCE = ("all", "hard_bounce")
LISTED_COMPLAINT = ("all", "complaint")
LISTED_UNSUBSCRIBE = ("email", "unsubscribe")
LISTED = ("email", "provider")  # it stands there, and the provider does not say why
