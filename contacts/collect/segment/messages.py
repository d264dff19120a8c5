"""Messages of Segment's HTTP tracking API, read strictly. Pure.

What Segment documents and its clients do, and what we make of it:

| message | stored as the event | properties |
| --- | --- | --- |
| track | its `event`, as it was sent | its `properties` |
| page, screen | `page_viewed`, `screen_viewed` | its `properties`, with `name` and `category` |
| group | `group_joined` | `groupId`, `traits` |
| identify | `contact_identified` | whether its traits were taken; the traits are in the contact |
| alias | `contact_aliased` | none; the history is in the contact |

Every message is one event, so the same `messageId` again is a counted duplicate whatever its kind, and traits that a
client sends again do not undo newer ones (without one, all that is known is that the minute is the same: the event is a
duplicate, and the traits are taken). A message needs `userId` or `anonymousId` (Segment: no_user_anon_id);
`identify` may do with `traits.email`. `user_id`, `anonymous_id` and `action`, which old libraries send, are understood,
and so are the traits of an identify that stand in its context, where RudderStack's libraries put them.
`integrations`, `channel` and what begins with an underscore are for Segment itself and are not kept.

A batch has at most 2,500 messages; those behind are refused one by one, as Segment does. Its own `context` and
`integrations` hold for every message that does not say otherwise. A message has at most 32 KiB.

Time: `timestamp` by the clock of the sender, set right by how wrong `sentAt` was when it came in. Where
`originalTimestamp` came too, somebody did that already. A time without a zone is UTC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contacts.collect import strict_json
from contacts.collect.parsing import LANES, LONGEST_KEY, LONGEST_TYPE, identifier, parse_instant
from contacts.collect.segment.traits import Traits
from contacts.collect.segment.traits import read as read_traits
from contacts.faults import Fault
from contacts.identifiers import fault
from contacts.problems import BadRequest

TRACK, PAGE, SCREEN, IDENTIFY, GROUP, ALIAS = KINDS = ("track", "page", "screen", "identify", "group", "alias")
STORED_AS = {
    PAGE: "page_viewed",
    SCREEN: "screen_viewed",
    IDENTIFY: "contact_identified",
    GROUP: "group_joined",
    ALIAS: "contact_aliased",
}
MOST_MESSAGES = 2500
PROOF = "user_hash"  # never stored: whoever has it, is that person

_LARGEST_SHARED = strict_json.Limits(depth=32, string=8 * 1024, total=8 * 1024)  # it is repeated in every message
_LOOSE_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(.*)", re.DOTALL)

TOO_MANY = Fault("too_many", f"stands behind the {MOST_MESSAGES} messages that a batch may have")
NOBODY = Fault("no_user_anon_id", "needs a userId or an anonymousId")


@dataclass(frozen=True)
class Message:
    """One message. Identifiers are texts, empty where they were not said; `traits` of identify only, `previous_id` of
    alias only. `proof`: what came as `user_hash`. `key`: its `messageId`. `occurred_at` and `sent_at` are by the clock
    of the sender (see `collect.clocks`); without `sent_at` it needs no setting right."""

    kind: str
    type: str
    external_id: str
    anonymous_id: str
    occurred_at: datetime | None
    key: str | None
    properties: Mapping[str, Any]
    context: Mapping[str, Any]
    previous_id: str = ""
    proof: str = ""
    traits: Traits = field(default_factory=Traits)
    sent_at: datetime | None = None


@dataclass(frozen=True)
class Envelope:
    """The body of a request: raw messages, and what holds for all of them. `kind` empty: each says its own."""

    kind: str
    elements: list[Any]
    write_key: str = ""
    lane: str = LANES[0]
    sent_at: Any = None
    context: Mapping[str, Any] = field(default_factory=dict)


def read_envelope(body: Any, kind: str) -> Envelope:
    """`body` as `strict_json.read` gave it; `kind` empty for a batch. Raises BadRequest where no message can be told
    from the others."""
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    if kind:
        return Envelope(kind, [body], write_key=_text(body.get("writeKey")))
    elements = body.get("batch")
    around = {**body, "batch": None} if type(body) is dict else body
    if flaw := strict_json.fault_in(around, strict_json.DOCUMENT):
        raise BadRequest("The envelope of the batch is not valid.", [flaw])
    if not isinstance(elements, list):
        raise BadRequest("batch must be a list of messages.", [Fault("type", "must be a list", ("batch",))])
    context = body.get("context")
    if context is not None:
        if flaw := strict_json.fault_in(context, _LARGEST_SHARED):
            raise BadRequest("The context of the batch is not valid.", [flaw.below("context")])
        if not isinstance(context, dict):
            raise BadRequest("The context must be an object.", [Fault("type", "must be an object", ("context",))])
    first = elements[0] if elements and isinstance(elements[0], dict) else {}
    return Envelope(
        "",
        elements,
        write_key=_text(body.get("writeKey")) or _text(first.get("writeKey")),
        lane=LANES[1] if body.get("lane") == LANES[1] else LANES[0],
        sent_at=body.get("sentAt"),
        context=context or {},
    )


def read_message(raw: Any, envelope: Envelope) -> Message | list[Fault]:
    """One of the envelope's elements, or everything that is wrong with it."""
    if flaw := strict_json.fault_in(raw, strict_json.EVENT):
        return [flaw]
    if not isinstance(raw, dict):
        return [Fault("type", "must be an object")]
    faults: list[Fault] = []
    kind = envelope.kind or _kind(raw, faults)
    if not kind:
        return faults
    own = _object(raw, "context", faults)
    traits = _object(raw, "traits", faults)
    if kind == IDENTIFY and isinstance(elsewhere := own.get("traits"), dict):
        traits = {**elsewhere, **traits}
        own = {name: value for name, value in own.items() if name != "traits"}
    occurred_at, sent_at = _times(raw, envelope.sent_at, faults)
    said = {name: value for name, value in traits.items() if name != PROOF}
    message = Message(
        kind=kind,
        type=_event(raw, faults) if kind == TRACK else STORED_AS[kind],
        external_id=_id(raw, ("userId", "user_id"), "external_id", faults),
        anonymous_id=_id(raw, ("anonymousId", "anonymous_id"), "anonymous_id", faults),
        occurred_at=occurred_at,
        key=_key(raw, faults),
        properties=_properties(kind, raw, said, faults),
        context={name: value for name, value in {**envelope.context, **own}.items() if name != PROOF},
        previous_id=_id(raw, ("previousId", "from"), "anonymous_id", faults) if kind == ALIAS else "",
        proof=_proof(raw, own, traits),
        traits=read_traits(said, faults) if kind == IDENTIFY else Traits(),
        sent_at=sent_at,
    )
    return faults or _needs(message) or message


def _needs(message: Message) -> list[Fault]:
    if message.kind == ALIAS:
        missing = [
            name for name, value in (("previousId", message.previous_id), ("userId", message.external_id)) if not value
        ]
        return [Fault("missing", "is missing", (name,)) for name in missing]
    if message.external_id or message.anonymous_id or message.traits.fields.get("email"):
        return []
    return [NOBODY]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _kind(raw: Mapping[str, Any], faults: list[Fault]) -> str:
    value = raw.get("type") or raw.get("action")
    kind = value.strip().lower() if isinstance(value, str) else ""
    if kind not in KINDS:
        faults.append(Fault("choice", f"must be one of {', '.join(KINDS)}", ("type",)))
        return ""
    return kind


def _event(raw: Mapping[str, Any], faults: list[Fault]) -> str:
    value = raw.get("event")
    if value is None:
        faults.append(Fault("missing", "is missing", ("event",)))
    elif not isinstance(value, str) or not value.strip():
        faults.append(Fault("type", "must be a text that is not empty", ("event",)))
    elif len(value) > LONGEST_TYPE:
        faults.append(Fault("too_long", f"must have at most {LONGEST_TYPE} characters", ("event",)))
    else:
        return value
    return ""


def _object(raw: Mapping[str, Any], name: str, faults: list[Fault]) -> dict[str, Any]:
    value = raw.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        faults.append(Fault("type", "must be an object", (name,)))
        return {}
    return value


def _id(raw: Mapping[str, Any], names: tuple[str, ...], kind: str, faults: list[Fault]) -> str:
    for name in names:
        value = identifier(raw, name, (name,), faults).strip()
        if value:
            if wrong := fault(kind, value):
                faults.append(Fault(wrong.code, wrong.msg, (name,)))
            return value
    return ""


def _proof(raw: Mapping[str, Any], context: Mapping[str, Any], traits: Mapping[str, Any]) -> str:
    for place in (context, traits, raw):
        value = place.get(PROOF)
        if isinstance(value, str) and value:
            return value
    return ""


def _key(raw: Mapping[str, Any], faults: list[Fault]) -> str | None:
    value = raw.get("messageId")
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        faults.append(Fault("type", "must be a text", ("messageId",)))
    elif len(value) > LONGEST_KEY:
        faults.append(Fault("too_long", f"must have at most {LONGEST_KEY} characters", ("messageId",)))
    else:
        return value
    return None


def _properties(kind: str, raw: Mapping[str, Any], traits: Mapping[str, Any], faults: list[Fault]) -> dict[str, Any]:
    if kind in {IDENTIFY, ALIAS}:
        return {}
    if kind == GROUP:
        group = identifier(raw, "groupId", ("groupId",), faults)
        if not group and not any(found.loc == ("groupId",) for found in faults):
            faults.append(Fault("missing", "is missing", ("groupId",)))
        return {"groupId": group, "traits": dict(traits)}
    properties = _object(raw, "properties", faults)
    if kind == TRACK:
        return properties
    named = {name: raw[name] for name in ("name", "category") if isinstance(raw.get(name), str) and raw[name]}
    return {**properties, **named}


def _times(raw: Mapping[str, Any], sent_at: Any, faults: list[Fault]) -> tuple[datetime | None, datetime | None]:
    """When it happened and when it was sent; a time of sending that cannot be read is none."""
    name = "timestamp" if raw.get("timestamp") is not None else "originalTimestamp"
    if raw.get(name) is None:
        return None, None
    at = _instant(raw[name])
    if isinstance(at, Fault):
        faults.append(at.below(name))
        return None, None
    if name == "timestamp" and raw.get("originalTimestamp") is not None:
        return at, None
    sent = _instant(raw["sentAt"] if raw.get("sentAt") is not None else sent_at)
    return at, None if isinstance(sent, Fault) else sent


def _instant(value: Any) -> datetime | Fault:
    """As the other doors read it, and as Segment's own examples write it: months and days of one digit, no zone."""
    instant = parse_instant(value)
    if isinstance(instant, datetime) or not isinstance(value, str):
        return instant
    loose = _LOOSE_DATE.fullmatch(value.strip())
    if loose is None or len(value) > 64:
        return instant
    year, month, day, rest = loose.groups()
    padded = f"{year}-{month:0>2}-{day:0>2}{rest}"
    again = parse_instant(padded)
    if isinstance(again, Fault) and again.code == "zone":
        again = parse_instant(f"{padded}Z" if rest else f"{padded}T00:00:00Z")
    return again
