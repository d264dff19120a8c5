"""The preference centre: what somebody wants to get from us, by what way and how often.

The truth of a choice is the contact's consent (`contacts.consent`): by topic, by channel, and for everything else; it
is what the page shows, append-only and with its evidence, and the gate reads it under the contact's lock. What is
switched off is suppressed at the address as well, so it outlives an erasure; what is switched on again releases what
its person had switched off there (reason `unsubscribe`) and nothing that follows from a bounce, a complaint or a word
to us (ADR 0027).

Words are recorded in this order: channels, everything else, topics. A channel that is switched on is then older than a
refusal of everything else, so it opens the way for the topics that were chosen and for nothing more."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from contacts import consent, transactions, upserting
from contacts.consent import ALL_TOPICS, CHANNELS, DENIED, GRANTED, Consent
from contacts.merged import living_ids
from contacts.models import Contact
from contacts.upserting import CAP, Person
from delivery import addresses, providers, suppression
from delivery.public import topics as naming
from delivery.public import unsubscribing
from delivery.public.unsubscribing import REASON, SentTo
from delivery.suppression import NewSuppression
from delivery.verdicts import ALL

SOURCE = "preferences"  # of consents, suppressions and changes
AS_IT_IS = "as_it_is"  # a frequency that was set in another way
FREQUENCIES: Mapping[str, Mapping[str, int] | None] = {
    "as_it_comes": None,  # within the limits that hold for everybody
    "one_a_day": {"per_day": 1},
    "one_a_week": {"per_day": 1, "per_week": 1},
}


@dataclass(frozen=True)
class Choice:
    """`topics` and `channels`: those that are on. `frequency`: of FREQUENCIES, or AS_IT_IS."""

    topics: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    everything_else: bool = False
    frequency: str = AS_IT_IS


@dataclass(frozen=True)
class Preferences:
    """What a page shows: the topics and channels that can be chosen, in order, and what is chosen now. `is_blocked`:
    nothing goes to the address for a reason that is not theirs to lift. `address` is masked."""

    contact_id: int
    address: str
    locale: str
    topics: tuple[str, ...]
    channels: tuple[str, ...]
    choice: Choice
    is_blocked: bool


@dataclass(frozen=True)
class _Place:
    """Where a channel reaches the contact: a row of `addresses`, or an address that has none yet."""

    address: str
    row: int | None = None


@dataclass(frozen=True)
class _Known:
    """The contact behind a token, and where each channel reaches it."""

    contact: Contact
    places: Mapping[str, _Place]


def read(token: str) -> Preferences | None:
    """None: a token that we never made, or of somebody who is not here any more. Changes nothing."""
    known = _known(token)
    return None if known is None else _preferences(known)


def save(token: str, wanted: Choice, *, evidence: Mapping[str, Any], labels: Mapping[str, str]) -> Preferences | None:
    """Make the choice hold, and return what then holds. Commits, then drains: when it returns, no request that it
    forbids can start. What the page did not offer stays as it is. A choice that changes nothing records nothing.

    `evidence` is kept with every consent, and so is what the page called its topic or channel (`labels`)."""

    def work(now: datetime) -> tuple[Preferences, Sequence[int]] | None:
        known = _known(token)
        if known is None:
            return None
        rows = _rows(known, now=now)
        addresses.lock(rows.values())
        shown = _preferences(known)
        offered = Choice(
            topics=wanted.topics & set(shown.topics),
            channels=wanted.channels & set(shown.channels),
            everything_else=wanted.everything_else,
            frequency=wanted.frequency if wanted.frequency in FREQUENCIES else AS_IT_IS,
        )
        _agree(shown, offered, rows, evidence=evidence, labels=labels, now=now)
        _pace(shown, offered, now=now)
        return _preferences(_again(known)), sorted(rows.values())

    done = transactions.run(work)
    if done is None:
        return None
    suppression.drain(done[1])
    return done[0]


def _known(token: str) -> _Known | None:
    public_id = unsubscribing.message_named(token)
    sent = unsubscribing.sent_to(public_id) if public_id else None
    if sent is None:
        return None
    contact_id = living_ids([sent.contact_id]).get(sent.contact_id)
    if contact_id is None:
        return None
    contact = Contact.objects.filter(pk=contact_id, erased_at=None).first()
    return None if contact is None else _Known(contact, _places(contact, sent))


def _again(known: _Known) -> _Known:
    """The same after something was written."""
    return _Known(Contact.objects.get(pk=known.contact.pk), known.places)


def _places(contact: Contact, sent: SentTo) -> dict[str, _Place]:
    """The channels that can reach the contact; that of the message by the address that it went to."""
    found: dict[str, _Place] = {}
    if contact.email:
        found["email"] = _Place(contact.email)
    if contact.phone and providers.names("sms"):
        found["sms"] = _Place(contact.phone)
    if providers.names("push") and _has_device(contact.pk):
        found["push"] = _Place(str(contact.public_id))
    if sent.address_id is not None:
        found[sent.channel] = _Place(_shown(sent.address_id), sent.address_id)
    return {channel: found[channel] for channel in CHANNELS if channel in found}


def _has_device(contact_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM push_devices WHERE contact_id = %s AND gone_at IS NULL)", [contact_id]
        )
        return cursor.fetchone()[0]


def _shown(address_id: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT shown FROM addresses WHERE id = %s", [address_id])
        return cursor.fetchone()[0]


def _rows(known: _Known, *, now: datetime) -> dict[str, int]:
    """The row of every channel's address, which is made where there is none."""
    return {
        channel: place.row or addresses.rows(channel=channel, given=[place.address], now=now)[place.address]
        for channel, place in known.places.items()
    }


def _preferences(known: _Known) -> Preferences:
    contact, places = known.contact, known.places
    topics = naming.of_contact(contact.pk)
    said = consent.marketing_choices(contact.pk, topics=topics)
    standing = {channel: _standing(channel, place) for channel, place in places.items()}
    left = {scope for each in standing.values() for scope, reason in each if reason == REASON}
    blocked = {
        channel
        for channel, each in standing.items()
        if any(reason != REASON and scope in {ALL, channel} for scope, reason in each)
    }
    first = next(iter(places), "")
    cap = contact.frequency_cap
    return Preferences(
        contact_id=contact.pk,
        address=masked(places[first].address, first) if first else "",
        locale=contact.locale,
        topics=topics,
        channels=tuple(places),
        choice=Choice(
            topics=frozenset(topic for topic in topics if said.topics[topic] and topic not in left),
            channels=frozenset(
                each for each in places if said.channels[each] and not standing[each] & {(each, REASON), (ALL, REASON)}
            ),
            everything_else=said.everything_else,
            frequency=next((name for name, each in FREQUENCIES.items() if each == cap), AS_IT_IS),
        ),
        is_blocked=said.is_restricted or bool(blocked),
    )


def _standing(channel: str, place: _Place) -> set[tuple[str, str]]:
    """(scope, reason) of what stands at the address."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.scope, s.reason FROM addresses a JOIN suppressions s ON s.address_id = a.id
             WHERE s.released_at IS NULL AND a.channel = %s
               AND (a.id = %s OR %s::bigint IS NULL AND a.key_hash = ANY(%s::bytea[]))
            """,
            [channel, place.row, place.row, addresses.keys(channel, place.address)],
        )
        return set(cursor.fetchall())


def _agree(
    shown: Preferences,
    wanted: Choice,
    rows: Mapping[str, int],
    *,
    evidence: Mapping[str, Any],
    labels: Mapping[str, str],
    now: datetime,
) -> None:
    before = shown.choice
    if (before.topics, before.channels, before.everything_else) == (
        wanted.topics,
        wanted.channels,
        wanted.everything_else,
    ):
        return
    off = set(shown.topics) - wanted.topics
    suppression.record(
        [
            *(NewSuppression(rows[each], each, REASON, SOURCE) for each in rows if each not in wanted.channels),
            *(NewSuppression(row, topic, REASON, SOURCE) for row in rows.values() for topic in sorted(off)),
        ],
        now=now,
    )
    for channel, row in rows.items():
        scopes = wanted.topics | ({channel, ALL} if channel in wanted.channels else set())
        suppression.release_at([row], scopes=scopes, reason=REASON, by=SOURCE, now=now)

    def words(names: Collection[str], chosen: Collection[str]) -> list[Consent]:
        return [
            Consent(
                shown.contact_id,
                "marketing",
                GRANTED if name in chosen else DENIED,
                name,
                {**evidence, "said": labels.get(name, name)},
            )
            for name in names
        ]

    everything = {ALL_TOPICS} if wanted.everything_else else set[str]()
    said = [
        *words(shown.channels, wanted.channels),
        *words([ALL_TOPICS], everything),
        *words(shown.topics, wanted.topics),
    ]
    consent.record(said, source=SOURCE, now=now)


def _pace(shown: Preferences, wanted: Choice, *, now: datetime) -> None:
    if wanted.frequency in (AS_IT_IS, shown.choice.frequency):
        return
    cap = FREQUENCIES[wanted.frequency]
    person = Person(fields={CAP: None if cap is None else dict(cap)})
    upserting.say([shown.contact_id], [person], source=SOURCE, now=now)


def masked(address: str, channel: str) -> str:
    """Enough to be recognised by whoever it belongs to: a•••@e•••.org, or the last two digits. Pure."""
    if channel == "push" or not address:
        return "•••"
    if channel == "sms":
        return f"•••{address[-2:]}"
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}•••@{domain[:1]}•••.{domain.rpartition('.')[2]}"
