"""Amazon SES reports through an SNS topic: a signed envelope, and in it a text that is the event in JSON."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contacts.identifiers import canonical_email
from delivery.providers.base import setting
from delivery.providers.ses import sns, words
from delivery.webhooks import elements, machines, vocabulary
from delivery.webhooks.base import Knock, Reading, Report
from delivery.webhooks.elements import Unread, mapping, text
from delivery.webhooks.machines import Hit

log = logging.getLogger(__name__)

HITS = (vocabulary.OPENED, vocabulary.CLICKED)
CONFIRMED = "Successfully validated SNS topic"  # how the first notification of a new destination begins


@dataclass(frozen=True)
class Event:
    """What SES tells: its name in small letters, what it says of it and of the mail, and when it happened."""

    name: str
    about: Mapping[str, Any]
    mail: Mapping[str, Any]
    at: str


def is_genuine(knock: Knock) -> bool:
    """Whether SNS signed it, for a topic of ours: anybody may have a topic, and point it here."""
    told = _envelope(knock.body)
    topics = {topic.strip() for topic in setting("SES_TOPIC_ARNS").split(",") if topic.strip()}
    return text(told.get("TopicArn")) in topics and sns.is_signed(told)


def greet(knock: Knock) -> None:
    """A topic of ours asks whether it may report here: yes. One that says goodbye is not asked back."""
    told = _envelope(knock.body)
    if told.get("Type") == sns.SUBSCRIPTION:
        sns.confirm(text(told.get("TopicArn")), str(told.get("Token")))
        log.info("the subscription of an SNS topic was confirmed")
    if told.get("Type") == sns.GOODBYE:
        log.warning("an SNS topic of SES_TOPIC_ARNS reports here no longer: its subscription was deleted")


def read(body: bytes, received_at: datetime) -> Reading:
    """The reports in a body, one for each recipient. Never raises."""
    told = _envelope(body)
    if told.get("Type") == sns.GOODBYE:
        return Reading(unread=("the subscription was deleted: nothing is reported here any longer",))
    if told.get("Type") != sns.NOTIFICATION or text(told.get("Message")).startswith(CONFIRMED):
        return Reading()
    return elements.reading(
        lambda: [elements.parsed(str(told.get("Message")).encode("utf-8", "replace"))],
        lambda event: _reports(event, text(told.get("Timestamp")), received_at),
    )


def _envelope(body: bytes) -> Mapping[str, Any]:
    try:
        return mapping(elements.parsed(body))
    except Unread:
        return {}


def _reports(event: Mapping[str, Any], published_at: str, received_at: datetime) -> list[Report]:
    name = (text(event.get("eventType")) or text(event["notificationType"])).lower()
    about, mail = mapping(event.get(name) or event.get("deliveryDelay")), mapping(event.get("mail"))
    told = about.get(words.RECIPIENTS.get(name, "")) or mail.get("destination") or [""]
    recipients = told if isinstance(told, list) else [told]
    at = text(about.get("timestamp")) or published_at
    return [_report(Event(name, about, mail, at), recipient, received_at) for recipient in recipients]


def _report(event: Event, recipient: Any, received_at: datetime) -> Report:
    name, about, mail, at = event.name, event.about, event.mail, event.at
    word = _word(name, about)
    kind = words.KINDS.get(word) or words.KINDS.get(name, vocabulary.UNKNOWN)
    address = text(recipient) or text(mapping(recipient).get("emailAddress"))
    mid, agent, link = _mid(mail), text(about.get("userAgent")), text(about.get("link"))
    by = machines.machine(Hit(agent, kind == vocabulary.CLICKED)) if kind in HITS else None
    said = {
        "word": word,
        "url": link,
        "reason": text(mapping(recipient).get("diagnosticCode")) or text(about.get("reason")),
        "response": text(about.get("smtpResponse")),
        "useragent": agent,
    }
    return Report(
        mid=mid,
        kind=kind,
        occurred_at=elements.instant(at, received_at),
        address=address,
        is_machine=by is not None,
        detail={name: value for name, value in said.items() if value} | ({"machine": by.detail} if by else {}),
        dedup=elements.digest("ses", mid or text(mail.get("messageId")), canonical_email(address), name, at, link),
        consequence=words.ON_THEIR_LIST.get(word) or vocabulary.CONSEQUENCES.get(kind),
    )


def _word(name: str, about: Mapping[str, Any]) -> str:
    if name != "bounce":
        return name
    return f"{name}:{text(about.get('bounceType'))}:{text(about.get('bounceSubType'))}".lower()


def _mid(mail: Mapping[str, Any]) -> str | None:
    """Our id, which went along as a tag: a list with one text."""
    tagged = mapping(mail.get("tags")).get("mid")
    return elements.uuid(tagged[0]) if isinstance(tagged, list) and tagged else None
