"""What one Kafka message says. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contacts.collect import parsing, strict_json
from contacts.events import NewEvent
from contacts.faults import Fault

LANE = "lane"  # a header, or a member of the value


@dataclass(frozen=True)
class Message:
    """`value` None is a tombstone: compaction's word for "gone", which is no event."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes | str | None]] = ()

    @property
    def origin(self) -> str:
        """Where it lies, for whoever has to find it again."""
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True)
class Said:
    """An event, and the lane that it wants."""

    event: NewEvent
    lane: str


def read(message: Message) -> Said | list[Fault] | None:
    """The value is one element of `POST /api/v1/events`, with the same aliases and the same rules. The lane is `urgent`
    unless a header `lane`, or a member of that name, says `bulk`. None for a tombstone."""
    if message.value is None:
        return None
    try:
        raw = strict_json.read(message.value)
    except (strict_json.NotJson, strict_json.TooManyValues) as error:
        return [Fault("syntax", str(error))]
    event = parsing.parse_event(raw)
    if not isinstance(event, NewEvent):
        return event
    lane = _lane(message, raw)
    if lane not in parsing.LANES:
        return [Fault("choice", "must be urgent or bulk", (LANE,))]
    return Said(event, lane)


def _lane(message: Message, raw: Mapping[str, Any]) -> Any:
    named = [value for name, value in message.headers if name == LANE and value is not None]
    if named:
        last = named[-1]
        return last.decode("utf-8", "replace") if isinstance(last, bytes) else last
    given = raw.get(LANE)
    return parsing.LANES[0] if given is None else given
