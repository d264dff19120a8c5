"""What producers send, read strictly: a batch of events, one event, and any JSON body of the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, Any

from django.conf import settings
from rest_framework.parsers import BaseParser

from contacts.collect import strict_json
from contacts.collect.clocks import corrected
from contacts.collect.strict_json import NotJson, TooManyValues
from contacts.events import NewEvent
from contacts.faults import Fault
from contacts.identifiers import Identifiers, fault
from contacts.problems import BadRequest, TooLarge

MOST_EVENTS = 1000
LANES = ("urgent", "bulk")
LONGEST_TYPE = 200
LONGEST_KEY = 255
LONGEST_INSTANT = 64  # characters; fromisoformat reads any number of decimals

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ALIASES = {
    "type": "event_type",
    "occurred_at": "timestamp",
    "properties": "payload",
    "context": "metadata",
}


@dataclass(frozen=True)
class ParsedBatch:
    """The events that could be read, where each stood, and what is wrong with the others. `sent_at`: by the producer's
    clock."""

    lane: str
    events: list[NewEvent]
    positions: list[int]
    rejected: dict[int, list[Fault]]
    sent_at: datetime | None = None

    def events_at(self, received_at: datetime) -> list[NewEvent]:
        """The events, at the times that are true by our clock (see `collect.clocks`)."""
        if self.sent_at is None:
            return self.events
        return [
            event._replace(occurred_at=corrected(event.occurred_at, sent_at=self.sent_at, received_at=received_at))
            for event in self.events
        ]


def parse_batch(body: bytes) -> ParsedBatch:
    """`{"events": [1 to 1,000], "lane"?: "urgent" | "bulk", "sent_at"?: instant}`. Raises BadRequest (400) or TooLarge
    (413) where the batch as a whole cannot be read; a single malformed event is rejected by its position instead."""
    envelope = _read(body)
    raw_events = elements(envelope, "events", most=MOST_EVENTS)
    lane = envelope.get("lane", LANES[0])
    if lane not in LANES:
        raise BadRequest("lane must be urgent or bulk.", [Fault("choice", "must be urgent or bulk", ("lane",))])
    batch = ParsedBatch(lane, [], [], {}, _sent_at(envelope))
    for position, raw in enumerate(raw_events):
        event = parse_event(raw)
        if isinstance(event, NewEvent):
            batch.events.append(event)
            batch.positions.append(position)
        else:
            batch.rejected[position] = event
    return batch


def elements(envelope: Any, name: str, *, most: int) -> list[Any]:
    """The list called `name` in the body of a batch. Its elements were not looked at yet: each is to be judged alone.
    Raises BadRequest where the batch as a whole cannot be read."""
    if not isinstance(envelope, dict):
        raise BadRequest(f'The body must be an object such as {{"{name}": [ … ]}}.')
    found = envelope.get(name)
    around = {**envelope, name: None} if type(envelope) is dict else envelope
    if flaw := strict_json.fault_in(around, strict_json.DOCUMENT):
        raise BadRequest("The envelope of the batch is not valid.", [flaw])
    if not isinstance(found, list):
        raise BadRequest(f"{name} must be a list.", [Fault("type", "must be a list", (name,))])
    if not 1 <= len(found) <= most:
        reason = Fault("length", f"must have 1 to {most} elements", (name,))
        raise BadRequest(f"A batch has 1 to {most} {name}; this one has {len(found)}.", [reason])
    return found


def _sent_at(envelope: Mapping[str, Any]) -> datetime | None:
    said = envelope.get("sent_at")
    instant = None if said is None else parse_instant(said)
    if isinstance(instant, Fault):
        raise BadRequest("sent_at is not an instant.", [instant.below("sent_at")])
    return instant


def _read(body: bytes) -> Any:
    try:
        return strict_json.read(body)
    except TooManyValues as error:
        raise TooLarge("The body holds too many values.") from error
    except NotJson as error:
        raise BadRequest("The body is not JSON.", [Fault("syntax", str(error))]) from error


def parse_event(raw: Any) -> NewEvent | list[Fault]:
    """One element as `strict_json.read` gave it: `{event_id?, type, contact: {external_id?, email?, anonymous_id?},
    occurred_at?, properties?, context?, region?}`, or with the aliases event_type, user_id, timestamp, payload and
    metadata.

    `occurred_at`: ISO 8601 with a zone, or milliseconds since 1970. All that is wrong is told at once, except that an
    element which is not sound JSON is looked at no further."""
    if flaw := strict_json.fault_in(raw, strict_json.EVENT):
        return [flaw]
    if not isinstance(raw, dict):
        return [Fault("type", "must be an object")]
    faults: list[Fault] = []
    event = NewEvent(
        type=_type(raw, faults),
        occurred_at=_occurred_at(raw, faults),
        contact=_identifiers(raw, faults),
        properties=_object(raw, "properties", faults),
        context=_context(raw, faults),
        key=_key(raw, faults),
    )
    return faults or event


def _context(raw: Mapping[str, Any], faults: list[Fault]) -> dict[str, Any]:
    """With the region that stands beside it, where it names none itself."""
    context = _object(raw, "context", faults)
    region = raw.get("region")
    if region is None:
        return context
    if not isinstance(region, str):
        faults.append(Fault("type", "must be a text", ("region",)))
    return context if context.get("region") else {**context, "region": region}


def _given(raw: Mapping[str, Any], name: str) -> tuple[str, Any]:
    """The value, and the name under which it came: ours before the alias; null is not given."""
    value = raw.get(name)
    if value is None:
        alias = _ALIASES[name]
        value = raw.get(alias)
        if value is not None:
            return alias, value
    return name, value


def _type(raw: Mapping[str, Any], faults: list[Fault]) -> str:
    name, value = _given(raw, "type")
    if value is None:
        faults.append(Fault("missing", "is missing", (name,)))
    elif not isinstance(value, str) or not value.strip():
        faults.append(Fault("type", "must be a text that is not empty", (name,)))
    elif len(value) > LONGEST_TYPE:
        faults.append(Fault("too_long", f"must have at most {LONGEST_TYPE} characters", (name,)))
    else:
        return value
    return ""


def _occurred_at(raw: Mapping[str, Any], faults: list[Fault]) -> datetime | None:
    name, value = _given(raw, "occurred_at")
    if value is None:
        return None
    instant = parse_instant(value)
    if isinstance(instant, Fault):
        faults.append(instant.below(name))
        return None
    return instant


def parse_instant(value: Any) -> datetime | Fault:
    """An instant in UTC from ISO 8601 text with a zone, or from milliseconds since 1970."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _EPOCH + timedelta(milliseconds=value)
        if not isinstance(value, str) or len(value) > LONGEST_INSTANT:
            return Fault("instant", "must be ISO 8601 with a zone, or milliseconds since 1970")
        instant = datetime.fromisoformat(value.strip())
        if instant.utcoffset() is None:
            return Fault("zone", "must name its zone, as in 2026-03-04T12:00:00Z")
        return instant.astimezone(UTC)
    except OverflowError:
        return Fault("out_of_range", "lies outside the years 1 to 9999")
    except ValueError:
        return Fault("instant", "is not an instant in ISO 8601, such as 2026-03-04T12:00:00Z")


def _identifiers(raw: Mapping[str, Any], faults: list[Fault]) -> Identifiers:
    contact = raw.get("contact")
    if contact is None:
        contact = {}
    if not isinstance(contact, dict):
        faults.append(Fault("type", "must be an object", ("contact",)))
        return Identifiers()
    person = Identifiers(
        external_id=identifier(contact, "external_id", ("contact", "external_id"), faults)
        or identifier(raw, "user_id", ("user_id",), faults),
        email=identifier(contact, "email", ("contact", "email"), faults),
        anonymous_id=identifier(contact, "anonymous_id", ("contact", "anonymous_id"), faults),
        phone=identifier(contact, "phone", ("contact", "phone"), faults),
    )
    given = list(person.given())
    wrong = [found.below("contact") for kind, value in given if (found := fault(kind, value))]
    faults.extend(wrong)
    if not given and not any(found.loc[:1] in {("contact",), ("user_id",)} for found in faults):
        faults.append(Fault("missing", "needs an external_id, email, phone or anonymous_id", ("contact",)))
    return person


def identifier(source: Mapping[str, Any], name: str, loc: tuple[str, ...], faults: list[Fault]) -> str:
    """A text, or a whole number taken as one (many databases count their people); empty where it is not given."""
    value = source.get(name)
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool) and name != "email":
        return str(value)
    if not isinstance(value, str):
        faults.append(Fault("type", "must be a text", loc))
        return ""
    return value


def _object(raw: Mapping[str, Any], name: str, faults: list[Fault]) -> dict[str, Any]:
    spelling, value = _given(raw, name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        faults.append(Fault("type", "must be an object", (spelling,)))
        return {}
    return value


def _key(raw: Mapping[str, Any], faults: list[Fault]) -> str | None:
    value = raw.get("event_id")
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        faults.append(Fault("type", "must be a text that is not empty", ("event_id",)))
    elif len(value) > LONGEST_KEY:
        faults.append(Fault("too_long", f"must have at most {LONGEST_KEY} characters", ("event_id",)))
    else:
        return value
    return None


class BatchJSONParser(BaseParser):
    """For the views of Django REST framework that take a batch: what its elements hold is judged one by one (see
    `elements`). A body that is no JSON at all is 400; too large, 413."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)  # the framework reads the stream itself, past Django's own limit
        if len(body) > limit:
            raise TooLarge
        return _read(body)


class StrictJSONParser(BatchJSONParser):
    """For the other views: a body that is sound JSON throughout, or 400."""

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        value = super().parse(stream, media_type, parser_context)
        if flaw := strict_json.fault_in(value, strict_json.DOCUMENT):
            raise BadRequest("The body is not valid.", [flaw])
        return value
