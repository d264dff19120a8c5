"""One batch of Kafka messages: its events, what cannot be taken, and the offsets behind it, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from contacts import events, quarantine
from contacts.collect import parsing
from contacts.collect.kafka import offsets
from contacts.collect.kafka.messages import Message, Said, read
from contacts.collect.kafka.offsets import Step
from contacts.events import NewEvent
from contacts.faults import Fault
from contacts.quarantine import Refused

SOURCE = "kafka"


@dataclass(frozen=True)
class Taken:
    """What became of the messages that were read. `lanes`: those that events went to."""

    read: int = 0
    stored: int = 0
    duplicates: int = 0
    refused: int = 0
    lanes: frozenset[str] = frozenset()

    def __add__(self, other: Taken) -> Taken:
        return Taken(
            self.read + other.read,
            self.stored + other.stored,
            self.duplicates + other.duplicates,
            self.refused + other.refused,
            self.lanes | other.lanes,
        )


def store(group: str, topic: str, messages: Sequence[Message], steps: Mapping[int, Step], *, now: datetime) -> Taken:
    """In the caller's transaction. Raises `offsets.Moved` where somebody else has read on.

    The offsets come first: a zombie is sent home before it has touched anything else. A message that cannot be taken
    goes to the quarantine with them, so it is neither lost nor kept twice."""
    offsets.advance(group, topic, steps, now=now)
    poison: list[tuple[Message, Sequence[Fault]]] = []
    unreadable: list[list[Fault]] = []
    wanted: dict[str, list[tuple[Message, NewEvent]]] = {lane: [] for lane in parsing.LANES}
    for message in messages:
        said = read(message)
        if isinstance(said, Said):
            wanted[said.lane].append((message, said.event))
        elif said is not None:
            poison.append((message, said))
            unreadable.append(said)
    taken = Taken(read=len(messages), lanes=frozenset(lane for lane, found in wanted.items() if found))
    for lane, found in wanted.items():
        if not found and not unreadable:
            continue
        recorded = events.record_batch(
            [event for _, event in found], source=SOURCE, now=now, lane=lane, refused=unreadable
        )
        unreadable = []  # counted once
        taken += Taken(stored=recorded.accepted, duplicates=recorded.duplicates)
        poison += [(found[rejection.index][0], rejection.errors) for rejection in recorded.rejected]
    quarantine.write([_refused(*each) for each in poison], now=now)
    return taken + Taken(refused=len(poison))


def _refused(message: Message, faults: Sequence[Fault]) -> Refused:
    raw = (message.value or b"").decode("utf-8", "backslashreplace")
    return Refused(SOURCE, message.origin, raw, faults)
