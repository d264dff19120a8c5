"""MailerSend's words in ours."""

from __future__ import annotations

from collections.abc import Mapping

from delivery.webhooks.vocabulary import HARD_BOUNCE, SOFT_BOUNCE

KINDS: Mapping[str, str] = {"hard_bounced": HARD_BOUNCE, "soft_bounced": SOFT_BOUNCE}
