"""How often Python looks for cyclic garbage. A batch makes hundreds of thousands of containers that go with it, without
cycles; with Python's own thresholds (700) they are looked through again and again, and all of Django with them."""

from __future__ import annotations

import gc

THRESHOLDS = (50_000, 20, 100)


def collect_seldom() -> None:
    """For processes that work in batches, once they have loaded everything: what is there now is never looked through
    again, what comes is looked through seldom. A tenth of the CPU of an event (docs/decisions/0013)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
