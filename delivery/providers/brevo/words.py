"""Brevo's words in ours."""

from __future__ import annotations

from collections.abc import Mapping

from delivery.webhooks.vocabulary import HARD_BOUNCE, LISTED, SOFT_BOUNCE

KINDS: Mapping[str, str] = {
    "hard_bounce": HARD_BOUNCE,
    "invalid_email": HARD_BOUNCE,
    "soft_bounce": SOFT_BOUNCE,
}

ON_THEIR_LIST: Mapping[str, tuple[str, str]] = {"blocked:blacklist": LISTED}

MACHINES = frozenset({"proxy_open", "unique_proxy_open"})  # Apple's Mail Privacy Protection
