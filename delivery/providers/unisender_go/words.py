"""Unisender Go's words in ours: what happened, and for a bounce why."""

from __future__ import annotations

from collections.abc import Mapping

from delivery.webhooks.vocabulary import HARD_BOUNCE, LISTED_UNSUBSCRIBE, REJECTED, SOFT_BOUNCE

BOUNCED = "hard_bounced"  # which they also call what was refused for somebody's policy
KINDS: Mapping[str, str] = {
    f"{BOUNCED}:err_user_unknown": HARD_BOUNCE,
    f"{BOUNCED}:err_user_inactive": HARD_BOUNCE,
    f"{BOUNCED}:err_mailbox_discarded": HARD_BOUNCE,
    f"{BOUNCED}:err_domain_inactive": HARD_BOUNCE,
    f"{BOUNCED}:err_unsubscribed": REJECTED,
    f"{BOUNCED}:err_skip_letter": REJECTED,
    f"{BOUNCED}:err_spam_skipped": REJECTED,
    "soft_bounced": SOFT_BOUNCE,
}
ON_THEIR_LIST: Mapping[str, tuple[str, str]] = {f"{BOUNCED}:err_unsubscribed": LISTED_UNSUBSCRIBE}
