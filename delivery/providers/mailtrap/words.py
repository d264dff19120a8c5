"""Mailtrap's words in ours."""

from __future__ import annotations

from collections.abc import Mapping

from delivery.webhooks.vocabulary import HARD_BOUNCE, SOFT_BOUNCE

NOBODY_THERE = frozenset(
    {"", "badmailbox", "inactivemailbox", "baddomain"}
)  # categories of a bounce; empty: none given
KINDS: Mapping[str, str] = {"bounce": HARD_BOUNCE, "bounce:otherwise": SOFT_BOUNCE, "soft bounce": SOFT_BOUNCE}
