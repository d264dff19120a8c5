"""SparkPost's words in ours: the type of an event, with the class of a bounce."""

from __future__ import annotations

from collections.abc import Mapping

from delivery.webhooks.vocabulary import HARD_BOUNCE, LISTED, REJECTED

# The classes of a bounce that mean: nobody is there. All others may pass, or are somebody's policy.
KINDS: Mapping[str, str] = {
    "bounce:10": HARD_BOUNCE,
    "bounce:30": HARD_BOUNCE,
    "out_of_band:10": HARD_BOUNCE,
    "out_of_band:30": HARD_BOUNCE,
    "generation_rejection": REJECTED,
}

ON_THEIR_LIST: Mapping[str, tuple[str, str]] = {"generation_rejection:suppressed": LISTED}
