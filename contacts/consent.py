"""What contacts agreed to: an append-only record, of which the last word holds.

tracking -- what they do may be counted and may trigger something
marketing -- by topic, and by channel: as in a suppression, `email`, `sms` and `push` are names of their own among the
topics, so "no text messages" is marketing, topic sms, denied
data_processing -- denied restricts the processing of the person: events are kept and count for nothing, nobody
enrols them, and nothing is advertised to them
sale -- denied is the opt-out of the sale of personal data (CCPA): recorded, shown and asked for by conditions
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from contacts import changes, signals
from contacts.merged import lock_living

GRANTED, DENIED = "granted", "denied"
ALL_TOPICS = ""
CATEGORIES = ("tracking", "marketing", "data_processing", "sale")
CHANNELS = ("email", "sms", "push")  # reserved among the topics

# Names that consent banners give to what we call tracking. Our own name decides alone where it is said.
_TRACKING = "tracking"
_TRACKING_ELSEWHERE = frozenset({"advertising", "analytics"})
_SALE = ("sale", "saleofinfo", "sale_of_data")


@dataclass(frozen=True)
class Consent:
    """`category`: one of CATEGORIES; `topic`: of marketing only, empty for all of it, one of CHANNELS for what comes by
    it; `state`: granted · denied; `evidence`: what proves it, as JSON (`ip`, `policy_version`, `form`, …)."""

    contact_id: int
    category: str
    state: str
    topic: str = ALL_TOPICS
    evidence: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Choices:
    """What may be sent to a contact: `everything_else` is marketing without a topic and on topics of which nothing was
    said; a channel is refused or not. `is_restricted`: whatever the others say, nothing."""

    is_restricted: bool
    everything_else: bool
    topics: Mapping[str, bool]
    channels: Mapping[str, bool]


def record(
    consents: Sequence[Consent], *, source: str, now: datetime, only_changes: bool = False, lane: str = "urgent"
) -> set[int]:
    """Append them in the caller's transaction and say of which contacts any was written.

    Locks the contacts first: whoever decides under the same locks (the gate of delivery) either decides before, or
    waits and reads what is recorded here. `source`: api · import · event · preferences · admin · confirm. With
    `only_changes`, what repeats the last word of the same contact, category and topic is left out, so that an import
    may run again; the grant of a topic is no repetition when all marketing was denied since. Sends `contacts_changed`
    (kind `consent`, with `lane`) and for the denials that were written `consent_withdrawn`, inside the transaction."""
    assert connection.in_atomic_block, "a record needs the caller's transaction"
    if not consents:
        return set()
    contact_ids = lock_living([consent.contact_id for consent in consents])
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO consent_records (contact_id, category, topic, state, recorded_at, source, evidence)
            SELECT said.contact_id, said.category, said.topic, said.state, %s, %s, said.evidence::jsonb
              FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[])
                   WITH ORDINALITY AS said(contact_id, category, topic, state, evidence, position)
              LEFT JOIN LATERAL (
                   SELECT id, state FROM consent_records r
                    WHERE r.contact_id = said.contact_id AND r.category = said.category AND r.topic = said.topic
                    ORDER BY r.id DESC LIMIT 1) own ON %s
             WHERE own.state IS DISTINCT FROM said.state
                OR said.state = 'granted' AND EXISTS (
                   SELECT FROM consent_records whole
                    WHERE whole.contact_id = said.contact_id AND whole.category = said.category AND whole.topic = ''
                      AND whole.id > own.id AND whole.state = 'denied')
             ORDER BY said.position
            RETURNING contact_id, category, topic, state
            """,
            [
                now,
                source,
                contact_ids,
                [consent.category for consent in consents],
                [consent.topic for consent in consents],
                [consent.state for consent in consents],
                [None if consent.evidence is None else json.dumps(dict(consent.evidence)) for consent in consents],
                only_changes,
            ],
        )
        written = cursor.fetchall()
    denials = tuple(Consent(who, category, state, topic) for who, category, topic, state in written if state == DENIED)
    if denials:
        signals.consent_withdrawn.send(sender=Consent, withdrawn=denials, now=now)
    agreed = {contact_id for contact_id, *_ in written}
    changes.tell(sorted(agreed), {"consent"}, now, lane=lane)
    return agreed


def refuse_sale(contact_ids: Collection[int], *, now: datetime) -> None:
    """What events of these contacts said (`sale_refused`), once for as long as it holds. Two statements, or none."""
    said = [Consent(each, "sale", DENIED, evidence={"said": "with an event"}) for each in sorted(set(contact_ids))]
    record(said, source="event", now=now, only_changes=True)


def tracking_state(contact_ids: Sequence[int]) -> dict[int, str]:
    """granted or denied, of those who ever said either."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT wanted.contact_id, last.state
              FROM unnest(%s::bigint[]) AS wanted(contact_id)
             CROSS JOIN LATERAL (
                   SELECT state FROM consent_records r
                    WHERE r.contact_id = wanted.contact_id AND r.category = 'tracking' AND r.topic = ''
                    ORDER BY r.id DESC LIMIT 1) last
            """,
            [sorted(set(contact_ids))],
        )
        return dict(cursor.fetchall())


@dataclass(frozen=True)
class Word:
    """`is_denied`: marketing may not be sent. `record_id`: the youngest record that was looked at, if there is any."""

    is_denied: bool
    record_id: int | None


def marketing_denied(
    contact_ids: Sequence[int], topics: Sequence[str], channels: Sequence[str]
) -> set[tuple[int, str, str]]:
    """Of the triples (contact_ids[i], topics[i], channels[i]), those to whom marketing on that topic may not be sent by
    that channel. As `marketing_words`."""
    return {triple for triple, word in marketing_words(contact_ids, topics, channels).items() if word.is_denied}


def marketing_words(
    contact_ids: Sequence[int], topics: Sequence[str], channels: Sequence[str]
) -> dict[tuple[int, str, str], Word]:
    """What each of the triples (contact_ids[i], topics[i], channels[i]) comes to. One statement.

    Who denied the processing of their data gets none. Else the words on the topic and on the channel decide, of which
    one refusal is enough; a grant of either counts unless all marketing was denied after it. Without either, the last
    word on all marketing holds; without any, the installation decides (`MARKETING_CONSENT`: opt_out or opt_in)."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT wanted.contact_id, wanted.topic, wanted.channel,
                   COALESCE(word.processing = 'denied', false) OR word.refused
                   OR NOT COALESCE(word.agreed_in > COALESCE(word.refused_in, 0), false)
                      AND COALESCE(word.whole, %s) = 'denied',
                   word.last_id
              FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS wanted(contact_id, topic, channel)
             CROSS JOIN LATERAL (
                   SELECT max(last.state) FILTER (WHERE last.of = 'processing') AS processing,
                          max(last.state) FILTER (WHERE last.of = 'whole') AS whole,
                          COALESCE(bool_or(last.state = 'denied') FILTER (WHERE last.of = 'narrow'), false) AS refused,
                          max(last.id) FILTER (WHERE last.of = 'narrow' AND last.state = 'granted') AS agreed_in,
                          max(last.id) FILTER (WHERE last.of = 'whole' AND last.state = 'denied') AS refused_in,
                          max(last.id) AS last_id
                     FROM (VALUES ('processing', 'data_processing', ''), ('whole', 'marketing', ''),
                                  ('narrow', 'marketing', NULLIF(wanted.topic, '')),
                                  ('narrow', 'marketing', wanted.channel)) AS asked(of, category, topic)
                    CROSS JOIN LATERAL (
                          SELECT asked.of, r.id, r.state FROM consent_records r
                           WHERE r.contact_id = wanted.contact_id AND r.category = asked.category
                             AND r.topic = asked.topic ORDER BY r.id DESC LIMIT 1) last) word
            """,
            [_unsaid(), list(contact_ids), list(topics), list(channels)],
        )
        return {
            (contact_id, topic, channel): Word(is_denied, record_id)
            for contact_id, topic, channel, is_denied, record_id in cursor.fetchall()
        }


def marketing_choices(contact_id: int, *, topics: Collection[str]) -> Choices:
    """What the contact's last words on marketing come to, by the rules of `marketing_words`. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT asked.category, asked.topic, last.state, last.id
              FROM unnest(%s::text[], %s::text[]) AS asked(category, topic)
             CROSS JOIN LATERAL (
                   SELECT r.id, r.state FROM consent_records r
                    WHERE r.contact_id = %s AND r.category = asked.category AND r.topic = asked.topic
                    ORDER BY r.id DESC LIMIT 1) last
            """,
            [
                ["data_processing", *["marketing"] * (1 + len(CHANNELS) + len(topics))],
                [ALL_TOPICS, ALL_TOPICS, *CHANNELS, *topics],
                contact_id,
            ],
        )
        words = {(category, topic): (state, place) for category, topic, state, place in cursor.fetchall()}
    whole, place = words.get(("marketing", ALL_TOPICS), (_unsaid(), 0))

    def said(topic: str) -> tuple[str, int]:
        return words.get(("marketing", topic), ("", 0))

    def holds(topic: str) -> bool:
        """A grant that is no older than the last refusal of all marketing."""
        return said(topic)[0] == GRANTED and (whole == GRANTED or said(topic)[1] > place)

    everything = whole == GRANTED or any(holds(channel) for channel in CHANNELS)
    return Choices(
        is_restricted=words.get(("data_processing", ALL_TOPICS), ("", 0))[0] == DENIED,
        everything_else=everything,
        topics={topic: said(topic)[0] != DENIED and (everything or holds(topic)) for topic in topics},
        channels={channel: said(channel)[0] != DENIED for channel in CHANNELS},
    )


def _unsaid() -> str:
    return DENIED if settings.MARKETING_CONSENT == "opt_in" else GRANTED


def tracking_said(context: Mapping[str, Any]) -> str | None:
    """What an event's own context says about tracking, or None.

    `context.consent.categoryPreferences`: `tracking` decides where it is given; otherwise Advertising and Analytics,
    of which one refusal is enough. Pure."""
    answers = _preferences(context)
    if _TRACKING in answers:
        return GRANTED if answers[_TRACKING] else DENIED
    relevant = [answers[name] for name in _TRACKING_ELSEWHERE if name in answers]
    if not relevant:
        return None
    return GRANTED if all(relevant) else DENIED


def sale_refused(context: Mapping[str, Any]) -> bool:
    """Whether an event's own context says that personal data may not be sold: `categoryPreferences` with `sale` (or
    SaleOfInfo) false, as a page says it for a browser with Global Privacy Control. An event can refuse, and never
    agree: browsers' keys are public. Pure."""
    answers = _preferences(context)
    return bool(answers) and any(answers.get(name) is False for name in _SALE)


def _preferences(context: Mapping[str, Any]) -> dict[str, bool]:
    said = context.get("consent")
    if said is None:  # as with most events
        return {}
    preferences = said.get("categoryPreferences") if isinstance(said, Mapping) else None
    if not isinstance(preferences, Mapping):
        return {}
    return {name.lower(): value for name, value in preferences.items() if isinstance(value, bool)}
