"""What the producers bring, and what must become of each event, said here without asking the product."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.drills.rig import people
from tests.drills.rig.producers import API, SEGMENT

ARRIVED, KNOCKED = "arrived", "knocked"  # who arrives enters once and never again; who knocks, whenever they are out
REFUSES_EVERY = 20  # every so many-th of the people said that what they do may not be followed
SAID = [None] * 16 + [True, True, False, False]  # what events say of that themselves
REFUSALS = """
INSERT INTO consent_records (contact_id, category, topic, state, recorded_at, source)
SELECT id, 'tracking', '', 'denied', now(), 'api' FROM contacts WHERE id %% %s = 0 ORDER BY id
"""


@dataclass(frozen=True)
class Amount:
    """`arrivals` of half as many people, half of whom nobody knew; `knocks` of each of `knocking` people, in bursts of
    `burst` batches that are on their way at the same time, in turns by the urgent and the bulk lane."""

    arrivals: int
    knocking: int
    knocks: int
    burst: int
    per_batch: int

    @property
    def known(self) -> int:
        """So many people are known before anything happens, those who knock among them."""
        return max(self.knocking, self.arrivals // 4)


@dataclass(frozen=True)
class Event:
    """`key`: the producer's own name of it. `tracking`: what it says itself, if anything."""

    key: str
    type: str
    person: int
    tracking: bool | None

    def may_start(self, known: int) -> bool:
        """Without consent an event is kept, and starts nothing. What it says itself goes before what the person said,
        and that before the default of these doors, which is yes."""
        if self.tracking is not None:
            return self.tracking
        return self.person > known or self.person % REFUSES_EVERY != 0


@dataclass(frozen=True)
class Batch:
    door: str
    lane: str
    events: tuple[Event, ...]

    def as_row(self) -> dict[str, object]:
        events = [
            {"key": e.key, "type": e.type, "who": people.external_id(e.person), "tracking": e.tracking}
            for e in self.events
        ]
        return {"door": self.door, "lane": self.lane, "events": events}


def batches(amount: Amount, dice: random.Random, name: str) -> list[Batch]:
    """Half of the events come by the API in batches, one in fifteen by itself, the others by Segment's address. `name`
    goes before the keys."""
    together: list[list[Batch]] = [[batch] for batch in _arrivals(amount, dice, name)]
    together += _knocks(amount, dice, name)
    dice.shuffle(together)
    return [batch for several in together for batch in several]


def _arrivals(amount: Amount, dice: random.Random, name: str) -> Iterator[Batch]:
    crowd = [1 + n % max(1, amount.arrivals // 2) for n in range(amount.arrivals)]
    dice.shuffle(crowd)
    events = [Event(f"{name}:a:{n}", ARRIVED, person, dice.choice(SAID)) for n, person in enumerate(crowd)]
    for start in range(0, len(events), amount.per_batch):
        yield from _brought(events[start : start + amount.per_batch], dice.choice(["urgent", "bulk"]), dice)


def _knocks(amount: Amount, dice: random.Random, name: str) -> Iterator[list[Batch]]:
    for first in range(1, amount.knocking + 1, amount.per_batch):
        group = range(first, min(first + amount.per_batch, amount.knocking + 1))
        for start in range(0, amount.knocks, amount.burst):
            burst: list[Batch] = []
            for turn in range(start, min(start + amount.burst, amount.knocks)):
                events = [Event(f"{name}:k:{n}:{turn}", KNOCKED, n, dice.choice(SAID)) for n in group]
                burst += _brought(events, ("urgent", "bulk")[turn % 2], dice)
            yield burst


def _brought(events: list[Event], lane: str, dice: random.Random) -> list[Batch]:
    way = dice.choices(["together", "alone", SEGMENT], [8, 1, 6])[0]
    if way == "alone":
        return [Batch(API, lane, (event,)) for event in events]
    return [Batch(SEGMENT if way == SEGMENT else API, lane, tuple(events))]
