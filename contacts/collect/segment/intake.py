"""Segment messages become contacts, traits, merges and events: one transaction, a constant number of statements for a
batch of any size.

The order: what everybody's names mean (locked, where a browser is to say something new of somebody); who is meant;
anonymous history joins; the events are recorded, which tells new messages from those that came before; and the traits
of the new ones are taken, in the order in which they came. Nothing is matched before the commit, so an event sees the
traits that stood before it, and a trait that is sent again undoes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.conf import settings

from contacts import events, identity, upserting
from contacts.access import Key
from contacts.collect import write_keys
from contacts.collect.clocks import corrected
from contacts.collect.segment import standings, trust
from contacts.collect.segment.messages import ALIAS, IDENTIFY, Message
from contacts.collect.segment.trust import Name, Saying, Standing
from contacts.events import FARTHEST_AHEAD, NewEvent
from contacts.faults import Fault
from contacts.identifiers import canonical
from contacts.locking import lock_contacts
from contacts.merging import absorb_anonymous
from contacts.upserting import Person

SEGMENT, BROWSER = "segment", "browser"


@dataclass(frozen=True)
class Taken:
    """What became of a batch; `refused` by position."""

    accepted: int
    duplicates: int
    refused: dict[int, list[Fault]]


@dataclass
class _Piece:
    """A message that may be taken."""

    position: int
    message: Message
    occurred_at: datetime | None
    saying: Saying
    contact_id: int = 0
    believed: bool = False  # its traits


@dataclass
class _Batch:
    key: Key
    now: datetime
    lane: str
    pieces: list[_Piece] = field(default_factory=list)
    refused: dict[int, list[Fault]] = field(default_factory=dict)

    @property
    def source(self) -> str:
        return source_of(self.key)


def source_of(key: Key) -> str:
    return BROWSER if key.kind == "browser" else SEGMENT


def take(
    messages: Mapping[int, Message], unread: Mapping[int, list[Fault]], key: Key, *, now: datetime, lane: str
) -> Taken:
    """Take messages (by their position) in the caller's transaction. `unread`: the faults of those that could not be
    read, to be counted with what is refused here."""
    batch = _Batch(key, now, lane, refused=dict(unread))
    admitted = {position: message for position, message in messages.items() if _admit(batch, position, message)}
    found = _found(list(admitted.values()), key)
    for position, message in admitted.items():
        said = trust.saying(message, trust.trust(message, key), found)
        if isinstance(said, Fault):
            batch.refused[position] = [said]
        else:
            occurred_at = corrected(message.occurred_at, sent_at=message.sent_at, received_at=now)
            batch.pieces.append(_Piece(position, message, occurred_at, said))
    _refuse_at_sight(batch)
    _resolve(batch, found)
    recorded = _record(batch)
    _take_traits(batch, recorded)
    write_keys.note_event(key, now)
    return Taken(recorded.accepted, recorded.duplicates, batch.refused)


def _admit(batch: _Batch, position: int, message: Message) -> bool:
    wrong = write_keys.type_fault(batch.key, message.type, always=message.kind in {IDENTIFY, ALIAS})
    if wrong:
        batch.refused[position] = [wrong]
    return wrong is None


def _found(messages: Sequence[Message], key: Key) -> dict[Name, Standing]:
    """What the names mean. Looked up only where something depends on it: a server's plain events need no answer, and
    an anonymous visitor's neither."""
    linking = [message for message in messages if message.kind in {IDENTIFY, ALIAS}]
    naming = [message for message in messages if message.external_id] if key.kind == "browser" else []
    if not linking and not naming:
        return {}
    asked = list(trust.names([*linking, *naming]))
    found = standings.look_up(asked)
    if key.kind == "browser" and linking:
        # whoever is to be told something new of stays the stranger that they are until we have told it
        lock_contacts({found[name].contact_id for name in trust.names(linking) if name in found})
        found = standings.look_up(asked)
    return found


def _refuse_at_sight(batch: _Batch) -> None:
    """What lies in the future or in a forbidden region, before anybody is created for it."""
    latest, allowed = batch.now + FARTHEST_AHEAD, events.allowed_regions()
    for piece in batch.pieces:
        fault = events.fault_at_sight(piece.occurred_at, piece.message.context, latest=latest, allowed=allowed)
        if fault:
            batch.refused[piece.position] = [fault]
    batch.pieces = [piece for piece in batch.pieces if piece.position not in batch.refused]


def _resolve(batch: _Batch, found: Mapping[Name, Standing]) -> None:
    """Say of every piece which contact it is of and whether its traits are believed, and let anonymous history join.
    Where no message links or describes anybody, the log's own door finds out who is meant."""
    if not any(piece.message.kind in {IDENTIFY, ALIAS} for piece in batch.pieces):
        return
    order = trust.by_link([piece.saying for piece in batch.pieces])
    people = identity.resolve(
        [batch.pieces[position].saying.person for position in order],
        source=batch.source,
        now=batch.now,
        lane=batch.lane,
    )
    for position, contact_id in zip(order, people.contact_ids, strict=True):
        assert contact_id is not None  # every name was checked when the message was read
        batch.pieces[position].contact_id = contact_id
    _believe(batch, people.created | {standing.contact_id for standing in found.values() if standing.stranger})
    pairs = {
        (piece.contact_id, standing.contact_id): None
        for piece in batch.pieces
        if piece.saying.joins and (standing := found[_anonymous(piece.saying.joins)]).contact_id != piece.contact_id
    }
    absorb_anonymous(list(pairs), source=SEGMENT, now=batch.now)


def _believe(batch: _Batch, strangers: frozenset[int]) -> None:
    """Whose traits are taken. Who was unknown when we looked, and was then created by somebody faster, is looked at
    once more, under a lock."""
    guarded = {
        piece.contact_id for piece in batch.pieces if piece.saying.strangers_only and piece.saying.fields is not None
    }
    if missed := guarded - strangers:
        lock_contacts(missed)
        strangers |= {found.contact_id for found in standings.of(sorted(missed)).values() if found.stranger}
    for piece in batch.pieces:
        piece.believed = not piece.saying.strangers_only or piece.contact_id in strangers


def _anonymous(value: str) -> Name:
    return "anonymous_id", canonical("anonymous_id", value)


def _record(batch: _Batch) -> events.Recorded:
    recorded = events.record_batch(
        [
            NewEvent(
                type=piece.message.type,
                occurred_at=piece.occurred_at,
                contact=piece.contact_id or piece.saying.person,
                properties=_properties(piece),
                context=piece.message.context,
                key=_key(batch, piece),
            )
            for piece in batch.pieces
        ],
        source=batch.source,
        now=batch.now,
        lane=batch.lane,
        tracking_default=settings.DEFAULT_TRACKING_CONSENT if batch.key.kind == "browser" else "granted",
        refused=list(batch.refused.values()),
    )
    for rejection in recorded.rejected:
        batch.refused[batch.pieces[rejection.index].position] = rejection.errors
    return recorded


def _properties(piece: _Piece) -> Mapping[str, object]:
    if piece.message.kind == IDENTIFY:
        return {"traits_taken": piece.saying.fields is not None and piece.believed}
    return piece.message.properties


def _key(batch: _Batch, piece: _Piece) -> str | None:
    """What comes with a browser's key has keys of its own, without a `messageId` too (its names, type and minute):
    nobody who guesses the id of an order, or its minute, can use it up before the shop has sent it."""
    message, key = piece.message, batch.key
    if key.kind != "browser":
        return message.key
    if message.key is not None:
        return f"browser:{key.id}:{message.key}"
    minute = (piece.occurred_at or batch.now).astimezone(UTC).replace(second=0, microsecond=0).isoformat()
    return "\x00".join([f"browser:{key.id}", message.external_id, message.anonymous_id, message.type, minute])


def _take_traits(batch: _Batch, recorded: events.Recorded) -> None:
    people = [
        _person(piece.message, piece.saying.person.external_id, piece.saying.person.anonymous_id, piece.saying.fields)
        for piece, event_id in zip(batch.pieces, recorded.event_ids, strict=True)
        if piece.saying.fields is not None
        and piece.believed
        and (event_id is not None or _may_be_another(batch, piece))
    ]
    if people:
        upserting.upsert(people, source=batch.source, now=batch.now, lane=batch.lane)


def _may_be_another(batch: _Batch, piece: _Piece) -> bool:
    """Without a `messageId` a second message within the minute counts as the same event; it may say something new."""
    return piece.message.key is None and piece.position not in batch.refused


def _person(message: Message, external_id: str, anonymous_id: str, fields: Mapping[str, str]) -> Person:
    return Person(
        fields={**({"external_id": external_id} if external_id else {}), **fields},
        attributes=message.traits.attributes,
        anonymous_id=anonymous_id,
        created_at=message.traits.created_at,
    )
