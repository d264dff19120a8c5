"""Postal's words in ours."""

from __future__ import annotations

from collections.abc import Mapping

from delivery.webhooks.vocabulary import HARD_BOUNCE, OPENED, SOFT_BOUNCE

FAILED = "messagedeliveryfailed"  # for good, says Postal, also where somebody's policy refused it
NOBODY_THERE = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})  # enhanced status codes
KINDS: Mapping[str, str] = {
    FAILED: SOFT_BOUNCE,
    f"{FAILED}:nobody": HARD_BOUNCE,
    "messageloaded": OPENED,
}
