"""Vendors whose bodies django-anymail knows how to read: it normalises one element, our words come of it here.

Of Anymail's views nothing is used but that. What is signed is verified by us, and each element is read by itself: there
a batch is lost for one bad element. What Anymail does not tell apart (a bounce for good and one for now, a machine and
a person) is read from the element, by the words in the vendor's folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from anymail.signals import AnymailTrackingEvent, EventType

from contacts.identifiers import canonical_email
from delivery.webhooks import elements, machines, vocabulary
from delivery.webhooks.base import Reading, Report
from delivery.webhooks.elements import mapping, text
from delivery.webhooks.machines import Hit, Machine

KINDS: Mapping[str, str] = {
    EventType.QUEUED: vocabulary.PROCESSED,
    EventType.SENT: vocabulary.PROCESSED,
    EventType.REJECTED: vocabulary.REJECTED,
    EventType.FAILED: vocabulary.REJECTED,
    EventType.BOUNCED: vocabulary.SOFT_BOUNCE,  # for good only where the vendor's own word says so
    EventType.DEFERRED: vocabulary.DEFERRED,
    EventType.DELIVERED: vocabulary.DELIVERED,
    EventType.OPENED: vocabulary.OPENED,
    EventType.CLICKED: vocabulary.CLICKED,
    EventType.COMPLAINED: vocabulary.COMPLAINED,
    EventType.UNSUBSCRIBED: vocabulary.UNSUBSCRIBED,
    EventType.SUBSCRIBED: vocabulary.RESUBSCRIBED,
}
VERIFIED = "verified before"  # what Anymail's views are given as a secret: they never see a request
HITS = (vocabulary.OPENED, vocabulary.CLICKED)


def _silent(element: Mapping[str, Any]) -> bool | None:
    return None


def _no_agent(element: Mapping[str, Any]) -> str:
    return ""


@dataclass(frozen=True)
class Dialect:
    """How one vendor speaks. `found`: the elements of a body, raises Unread. `normalised`: an element as Anymail reads
    it, None for one that says nothing. `word`: the vendor's own name for what happened, in small letters. `kinds`: our
    kind for it, where Anymail's is too coarse. `listed`: words that tell of the vendor's own list, and what follows.
    `reported`: whether the vendor says that a machine did it. `agent`: who opened or clicked, where Anymail does not
    say."""

    name: str
    found: Callable[[bytes], Sequence[Any]]
    normalised: Callable[[Any], AnymailTrackingEvent | None]
    word: Callable[[Mapping[str, Any]], str]
    kinds: Mapping[str, str] = field(default_factory=dict)
    listed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    reported: Callable[[Mapping[str, Any]], bool | None] = _silent
    agent: Callable[[Mapping[str, Any]], str] = _no_agent

    def read(self, body: bytes, received_at: datetime) -> Reading:
        """The reports in a body. Never raises."""

        def report(element: Any) -> list[Report]:
            event = self.normalised(element)
            return [] if event is None else [self._report(event, element, received_at)]

        return elements.reading(lambda: self.found(body), report)

    def _report(self, event: AnymailTrackingEvent, element: Mapping[str, Any], received_at: datetime) -> Report:
        word = self.word(element).lower()
        kind = self.kinds.get(word) or KINDS.get(event.event_type, vocabulary.UNKNOWN)
        mid, address = _mid(event), text(event.recipient)
        happened_at = event.timestamp.isoformat() if event.timestamp else ""
        by = self._machine(kind, event, element)
        told = {
            "word": text(word),
            "url": text(event.click_url),
            "reason": text(event.mta_response) or text(event.description),
            "useragent": text(event.user_agent) or self.agent(element),
        }
        return Report(
            mid=mid,
            kind=kind,
            occurred_at=elements.instant(event.timestamp, received_at),
            address=address,
            is_machine=by is not None,
            detail={name: said for name, said in told.items() if said} | ({"machine": by.detail} if by else {}),
            dedup=elements.digest(
                self.name,
                mid or text(event.message_id) or canonical_email(address),
                address,
                word or event.event_type,
                happened_at or _whole(element),
                text(event.click_url) or text(event.mta_response),
            ),
            consequence=self.listed.get(word) or vocabulary.CONSEQUENCES.get(kind),
        )

    def _machine(self, kind: str, event: AnymailTrackingEvent, element: Mapping[str, Any]) -> Machine | None:
        if kind not in HITS:
            return None
        agent = text(event.user_agent) or self.agent(element)
        return machines.machine(Hit(agent, kind == vocabulary.CLICKED, reported=self.reported(element)))


def _mid(event: AnymailTrackingEvent) -> str | None:
    """Our id: from the metadata, or as a tag where the vendor has no metadata."""
    tags = event.tags if isinstance(event.tags, list) else []
    named = (elements.uuid(given) for given in (mapping(event.metadata).get("mid"), *tags))
    return next((mid for mid in named if mid), None)


def _whole(element: Any) -> str:
    """Of what has no instant, all of it."""
    return json.dumps(element, sort_keys=True, default=str)


def objects(body: bytes) -> list[Any]:
    """The elements of a JSON body: those of its list, or the one object. Raises Unread."""
    return elements.listed(elements.parsed(body))
