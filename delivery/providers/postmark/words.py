"""Postmark's words in ours: the types of a bounce, and why a subscription changed."""

from __future__ import annotations

from collections.abc import Mapping

from delivery.webhooks.vocabulary import (
    COMPLAINED,
    DEFERRED,
    HARD_BOUNCE,
    LISTED_BOUNCE,
    LISTED_COMPLAINT,
    LISTED_UNSUBSCRIBE,
    REJECTED,
    SOFT_BOUNCE,
    UNKNOWN,
    UNSUBSCRIBED,
)

KINDS: Mapping[str, str] = {
    "hardbounce": HARD_BOUNCE,
    "bademailaddress": HARD_BOUNCE,
    "softbounce": SOFT_BOUNCE,
    "virusnotification": SOFT_BOUNCE,
    "blocked": SOFT_BOUNCE,
    "spamnotification": SOFT_BOUNCE,  # the receiving server took it for spam; nobody complained
    "dmarcpolicy": SOFT_BOUNCE,
    "transient": DEFERRED,
    "dnserror": DEFERRED,
    "openrelaytest": DEFERRED,
    "manuallydeactivated": REJECTED,
    "unsubscribe": UNSUBSCRIBED,
    "autoresponder": UNKNOWN,
    "addresschange": UNKNOWN,
    "challengeverification": UNKNOWN,
    "unknown": UNKNOWN,
    "spamcomplaint": COMPLAINED,
}

# A change of subscription tells what Postmark's list holds from now on.
LISTED: Mapping[str, tuple[str, str]] = {
    "subscriptionchange:hardbounce": LISTED_BOUNCE,
    "subscriptionchange:spamcomplaint": LISTED_COMPLAINT,
    "subscriptionchange:manualsuppression": LISTED_UNSUBSCRIBE,
}
SUBSCRIPTIONS: Mapping[str, str] = {
    "subscriptionchange:hardbounce": HARD_BOUNCE,
    "subscriptionchange:spamcomplaint": COMPLAINED,
    "subscriptionchange:manualsuppression": UNSUBSCRIBED,
}
