"""What a sender may say about whom. Pure.

A server's key is trusted. A browser's key is public: whoever reads a page may send what they like with it, also under
the `userId` of somebody else. So it appends, and changes nobody who is known. "Known" is a contact that has an external
id, an e-mail address or a telephone; `user_hash` is the proof that the server of the page gave the visitor, the
HMAC-SHA256 of the `userId` with the key's identity secret in hexadecimal, as `context.user_hash`, `traits.user_hash` or
`user_hash`.

| from a browser's key | no identity secret | valid `user_hash` | none or a wrong one |
| --- | --- | --- | --- |
| `anonymousId` alone | appended to whom it means | the same | the same |
| … its traits | taken of a stranger (3) | the same | the same |
| track, page, screen, group with `userId` | appended | appended, names joined | as if it were not said (1) |
| identify: a new `userId`, or a stranger's (3) | names the contact, with its traits | the same | refused |
| identify: the `userId` of anybody else | appended, traits passed over | traits taken | refused |
| … anonymous history, also by alias | joins if it is history alone (2) | joins | refused |
| `traits.email`, `traits.phone` of somebody else | passed over | passed over | refused |
| alias: `previousId` of a known contact | refused (`conflict`) | refused | refused |

(1) Refused where nothing else names somebody, and for a group. (2) Events, and nothing that would change the contact
that they join: no attribute, tag, list or consent. (3) Anonymous; or a `userId` of which nobody but browsers ever spoke
and that has neither address nor telephone nor any attribute, tag, list or consent: its first identify may come after
its first event, also by another connection. So without a proof nobody who was ever described is changed.

`traits.email` says who somebody is from a server only. From nobody does an alias merge two known contacts: that is done
by the API of merges, or in the admin. Consents are recorded from no message; `context.consent` says whether the one
event counts. Two things are taken from any event: a refusal of the sale of data, and a time zone where there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from contacts.access import Key
from contacts.collect import write_keys
from contacts.collect.segment.messages import ALIAS, GROUP, IDENTIFY, Message
from contacts.faults import Fault
from contacts.identifiers import Identifiers, canonical

Name = tuple[str, str]  # kind, canonical value

UNPROVEN = Fault("unproven", "needs a valid user_hash, since the key has an identity secret", ("userId",))
WITH_PROFILE = Fault(
    "unproven", "has a profile of its own, which joins a known contact with proof only", ("previousId",)
)
CONFLICT = Fault("conflict", "means a known contact: merge the two through the API or in the admin", ("previousId",))
NOBODY_LEFT = Fault("unproven", "is all that names somebody, and may not decide from a web page", ("traits", "email"))


class Trust(Enum):
    """How much a message is believed about the person whom it names."""

    SERVER = "server"
    PROVEN = "proven"
    OPEN = "open"  # nobody can prove anything to this key
    UNPROVEN = "unproven"


@dataclass(frozen=True)
class Standing:
    """A contact as it was found. `known`: not anonymous; `history`: it has, and had, no attribute, tag, list or
    consent, so that nothing but events would come of absorbing it; `stranger`: nobody but browsers ever spoke of it,
    and nobody described it yet."""

    contact_id: int
    known: bool
    history: bool
    stranger: bool


@dataclass(frozen=True)
class Saying:
    """What is left of a message: of whom it is (`person`), the anonymous id whose history joins them (`joins`), what it
    may say of them (`fields`; None: no trait at all), and whether that holds for strangers only."""

    person: Identifiers
    joins: str = ""
    fields: Mapping[str, str] | None = None
    strangers_only: bool = False


def trust(message: Message, key: Key) -> Trust:
    if key.kind != "browser":
        return Trust.SERVER
    if not key.identity_secret:
        return Trust.OPEN
    proven = write_keys.proves(key, message.external_id, message.proof)
    return Trust.PROVEN if proven else Trust.UNPROVEN


def names(messages: Iterable[Message]) -> Iterator[Name]:
    """Every name in them, canonical; some of them twice."""
    for message in messages:
        yield from (
            (kind, canonical(kind, value))
            for kind, value in (
                ("external_id", message.external_id),
                ("external_id", message.previous_id),
                ("anonymous_id", message.anonymous_id),
                ("anonymous_id", message.previous_id),
                ("email", message.traits.fields.get("email", "")),
                ("phone", message.traits.fields.get("phone", "")),
            )
            if value
        )


def saying(message: Message, believed: Trust, found: Mapping[Name, Standing]) -> Saying | Fault:
    """Apply the table. `found`: what the names of the message mean, as far as anybody has them."""
    external, anonymous = message.external_id, message.anonymous_id
    if believed is Trust.UNPROVEN and external:
        if message.kind in {IDENTIFY, ALIAS, GROUP} or not anonymous:
            return UNPROVEN
        external = ""
    if message.kind == ALIAS:
        return _alias(message, believed, found)
    if message.kind == IDENTIFY:
        return _identify(message, believed, found)
    if believed is Trust.OPEN and _is_known(found, "external_id", external):
        anonymous = ""  # appending joins no names
    return Saying(Identifiers(external_id=external, anonymous_id=anonymous))


def _alias(message: Message, believed: Trust, found: Mapping[Name, Standing]) -> Saying | Fault:
    external, previous = message.external_id, message.previous_id
    if canonical("external_id", external) == canonical("external_id", previous):
        return Saying(Identifiers(external_id=external))  # one name for themselves
    anonymous = found.get(("anonymous_id", canonical("anonymous_id", previous)))
    if anonymous is None and _is_known(found, "external_id", previous):
        return CONFLICT
    joining = _joining(Identifiers(external_id=external, anonymous_id=previous), believed, found)
    if joining is None:
        return CONFLICT if anonymous is None or anonymous.known else WITH_PROFILE
    return joining


def _identify(message: Message, believed: Trust, found: Mapping[Name, Standing]) -> Saying | Fault:
    fields = dict(message.traits.fields)
    if believed is not Trust.SERVER:
        for kind in ("email", "phone"):
            if kind in fields and _another(found, kind, fields[kind], message):
                del fields[kind]
    person = Identifiers(
        external_id=message.external_id,
        anonymous_id=message.anonymous_id,
        email=fields.get("email", ""),
        phone=fields.get("phone", "") if believed is Trust.SERVER else "",
    )
    if not list(person.given()):
        return NOBODY_LEFT
    joining = _joining(person, believed, found)
    if joining is None:  # another person's device, or more than history: it says nothing of that device's owner
        joining = Saying(Identifiers(person.external_id, person.email, "", person.phone))
    guarded = believed in {Trust.OPEN, Trust.UNPROVEN}
    if not guarded:
        return Saying(joining.person, joining.joins, fields)
    said = None if _is_described(found, joining.person) else fields
    if person.external_id or person.anonymous_id:
        # the address is told with the other traits, once it is certain that a stranger is meant
        nameless = Identifiers(joining.person.external_id, "", joining.person.anonymous_id)
        return Saying(nameless, joining.joins, said, strangers_only=True)
    return Saying(joining.person, joining.joins, said, strangers_only=True)


def _joining(person: Identifiers, believed: Trust, found: Mapping[Name, Standing]) -> Saying | None:
    """Of two names of one person: whether the second is simply theirs, or has a history that joins them. None where it
    may not."""
    anonymous = found.get(("anonymous_id", canonical("anonymous_id", person.anonymous_id)))
    if not person.external_id or not person.anonymous_id or anonymous is None:
        return Saying(person)
    meant = found.get(("external_id", canonical("external_id", person.external_id)))
    if meant is not None and meant.contact_id == anonymous.contact_id:
        return Saying(person)
    if anonymous.known:
        return None
    if meant is None:
        return Saying(person, joins=person.anonymous_id)  # the anonymous contact gets the name, unless one came first
    if believed is Trust.OPEN and not anonymous.history:
        return None
    return Saying(Identifiers(person.external_id, person.email, "", person.phone), joins=person.anonymous_id)


def _is_known(found: Mapping[Name, Standing], kind: str, value: str) -> bool:
    standing = found.get((kind, canonical(kind, value))) if value else None
    return standing is not None and standing.known


def _another(found: Mapping[Name, Standing], kind: str, value: str, message: Message) -> bool:
    """Whether this address or telephone belongs to somebody other than the `userId` of the message."""
    owner = found.get((kind, canonical(kind, value)))
    meant = found.get(("external_id", canonical("external_id", message.external_id)))
    return owner is not None and (meant is None or meant.contact_id != owner.contact_id)


def _is_described(found: Mapping[Name, Standing], person: Identifiers) -> bool:
    """Whether the name that decides means somebody who is no stranger."""
    for kind, value in person.given():
        if (standing := found.get((kind, canonical(kind, value)))) is not None:
            return not standing.stranger
    return False


def by_link(sayings: Sequence[Saying]) -> list[int]:
    """The positions in the order in which people are to be told: who brings two names first, so that no name is taken
    for a stranger's by a message that stood before it."""

    def single(position: int) -> bool:
        person = sayings[position].person
        return not (person.external_id and person.anonymous_id)

    return sorted(range(len(sayings)), key=single)
