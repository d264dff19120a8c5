"""What becomes of a batch whose provider raises, which none should: that is a fault of its code, not of the letters."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from delivery import starts
from delivery.providers.base import IN_DOUBT, NOT_STARTED, Answer, Letter, Provider, Writing

log = logging.getLogger(__name__)

FAULT = "provider_fault"  # the reason in the log


def deliver(
    provider: Provider, letters: Iterable[Letter], *, mids: Collection[str], start_before: float
) -> dict[str, Answer]:
    """`Provider.deliver`, which does not raise. `mids`: of all the letters. Where the provider fails, those are in
    doubt of which something may have left; the others did not start, and cannot any more. It is logged once, without a
    word of any letter. What `Writing.tell` raises is the caller's own and goes through."""
    handed: list[str] = []
    told: set[str] = set()
    ours: list[BaseException] = []

    def noted() -> Iterator[Letter]:
        for letter in letters:
            starts.watch(letter.mid)
            handed.append(letter.mid)
            yield letter

    def tell(answers: Mapping[str, Answer]) -> None:
        assert isinstance(letters, Writing)
        try:
            letters.tell(answers)
        except BaseException as error:
            ours.append(error)
            raise
        told.update(answers)

    try:
        return provider.deliver(
            Writing(noted(), tell, letters.awaited) if isinstance(letters, Writing) else noted(),
            start_before=start_before,
        )
    except Exception as error:
        if error in ours:
            raise
        begun = starts.withdraw(handed, until=start_before) if provider.marks_starts else set(handed)
        frame = traceback.extract_tb(error.__traceback__)[-1]
        log.error(
            "provider %s failed with %s at %s:%s: of %d letters %d may have left",
            provider.name,
            type(error).__name__,
            Path(frame.filename).name,
            frame.lineno,
            len(mids),
            len(begun - told),
        )
        # whoever is put back is not sent again before the last request that was made for it has been turned away
        later = max(start_before - time.monotonic(), 0.0) + 2 * starts.MARGIN_SECONDS
        doubt = Answer(IN_DOUBT, FAULT, said=type(error).__name__)
        back = Answer(NOT_STARTED, FAULT, said=type(error).__name__, retry_after=later)
        return {mid: doubt if mid in begun else back for mid in mids if mid not in told}
    finally:
        starts.unwatch(handed)
