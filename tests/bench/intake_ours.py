"""`python -m tests.bench.intake_ours FIRST COUNT PEOPLE`: the batch door of events and the SERIALIZABLE matching behind
it, as the API and a worker run them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tests.bench import turn

BATCH = 1_000  # the most that a request may hold
BATCHES_AT_ONCE = 5  # a worker finds what came in while it was busy with what came before


def take(elements: Sequence[dict[str, Any]]) -> None:
    from contacts import events, transactions
    from contacts.collect import parsing
    from contacts.events import NewEvent
    from workflows import intake

    def match() -> None:
        while intake.match_batch(lane="urgent"):
            pass

    for number, start in enumerate(range(0, len(elements), BATCH), 1):
        batch = [
            event
            for element in elements[start : start + BATCH]
            if isinstance(event := parsing.parse_event(element), NewEvent)
        ]

        def record(now: datetime, batch: Sequence[NewEvent] = batch) -> None:
            events.record_batch(batch, source="api", now=now)

        transactions.run(record)
        if number % BATCHES_AT_ONCE == 0:
            match()
    match()


if __name__ == "__main__":
    turn.play(take)
