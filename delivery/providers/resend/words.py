"""Resend's words in ours: the type of an event, and of a bounce its type, too."""

from __future__ import annotations

from collections.abc import Mapping

from delivery.webhooks.vocabulary import HARD_BOUNCE, LISTED, REJECTED, SOFT_BOUNCE

KINDS: Mapping[str, str] = {
    "email.bounced:permanent": HARD_BOUNCE,
    "email.bounced:transient": SOFT_BOUNCE,
    "email.bounced:undetermined": SOFT_BOUNCE,
    "email.bounced:suppressed": REJECTED,
    "email.suppressed": REJECTED,
    "email.failed": REJECTED,
}

ON_THEIR_LIST: Mapping[str, tuple[str, str]] = {
    "email.bounced:suppressed": LISTED,
    "email.suppressed": LISTED,
}
