"""Twilio's words in ours: the status of a message, the number of an error, and what people answer."""

from __future__ import annotations

from collections.abc import Mapping

from delivery.webhooks.vocabulary import DELIVERED, HARD_BOUNCE, OPENED, PROCESSED, REJECTED, SOFT_BOUNCE

STATUSES: Mapping[str, str] = {
    "accepted": PROCESSED,
    "scheduled": PROCESSED,
    "queued": PROCESSED,
    "sending": PROCESSED,
    "sent": PROCESSED,  # a network has it
    "delivered": DELIVERED,
    "read": OPENED,
    "undelivered": SOFT_BOUNCE,  # unless the error says more
    "failed": REJECTED,
    "canceled": REJECTED,
}

ERRORS: Mapping[str, str] = {
    "21211": HARD_BOUNCE,  # no number
    "21217": HARD_BOUNCE,
    "21614": HARD_BOUNCE,  # no mobile number
    "30005": HARD_BOUNCE,  # nobody has this number
    "30006": HARD_BOUNCE,  # a landline
    "21610": REJECTED,  # they said STOP
}

OPTED_OUT: Mapping[str, tuple[str, str]] = {"21610": ("sms", "unsubscribe")}

STOP = frozenset({"stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit", "optout", "opt out", "revoke"})
START = frozenset({"start", "unstop"})  # not "yes", which is an answer to many questions
