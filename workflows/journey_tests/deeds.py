"""What may be done in a case, each through the door that the outside world uses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory
from sendgrid.helpers.eventwebhook import EventWebhookHeader

from contacts import clock, consent, events, transactions, upserting
from contacts.audiences import lists, tags
from contacts.audiences.lists import Place
from contacts.audiences.tags import Tagging
from contacts.consent import Consent
from contacts.events import NewEvent
from contacts.identifiers import Identifiers
from contacts.models import Contact
from delivery import suppression
from delivery.models import SandboxMail
from delivery.providers.sandbox import key as sandbox_key
from delivery.public import unsubscribing
from delivery.verdicts import ALL
from delivery.webhooks import entrance
from workflows.entry import enrolling
from workflows.entry.enrolling import Asked, NotLive
from workflows.journey_tests import setting
from workflows.journey_tests.document import BadTestFile, Moment
from workflows.models import Enrolment, Workflow
from workflows.publishing import CannotPublish, UnableToChange
from workflows.watches import exits

REASONS = frozenset({"manual", "unsubscribe", "hard_bounce", "soft_bounce", "complaint"})
_HARD = {"type": "bounce", "bounce_classification": "Invalid Address", "status": "5.1.1"}


class Impossible(Exception):
    """The deed could not be done, and why; a sentence."""


@dataclass
class Stage:
    """Where a case plays. `people`: the file's names for contacts. `told`: bodies of webhooks that were delivered."""

    slug: str
    people: dict[str, int]
    told: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def contact(self, deed: Moment) -> int:
        try:
            return self.people[deed.said["contact"]]
        except KeyError as error:
            raise Impossible(f"{deed.said['contact']} is not there yet") from error


def do(deed: Moment, stage: Stage) -> None:
    """Raises Impossible."""
    _DEEDS[deed.kind](deed, stage)


def _track(deed: Moment, stage: Stage) -> None:
    said = deed.said
    event = NewEvent(
        type=said["type"],
        occurred_at=None,
        contact=stage.people.get(said["contact"]) or Identifiers(external_id=said["contact"]),
        properties=said.get("properties") or {},
        context={},
        key=said.get("event_id"),
    )
    recorded = transactions.run(lambda now: events.record_batch([event], source=setting.SOURCE, now=now))
    if recorded.rejected:
        raise Impossible("the event was rejected: " + "; ".join(fault.msg for fault in recorded.rejected[0].errors))
    if said["contact"] not in stage.people:
        stage.people[said["contact"]] = Contact.objects.get(external_id=said["contact"]).pk


def _update_contact(deed: Moment, stage: Stage) -> None:
    said = {name: value for name, value in deed.said.items() if name != "contact"}
    try:
        person = setting.person_of({**said, "id": deed.said["contact"]}, f"{deed.place}.update_contact")
    except BadTestFile as error:
        raise Impossible(str(error)) from error
    done = transactions.run(lambda now: upserting.upsert([person], source=setting.SOURCE, now=now))
    contact_id = done.contact_ids[0]
    if contact_id is None:
        raise Impossible("the database cannot store this contact")
    stage.people[deed.said["contact"]] = contact_id


def _add_tag(deed: Moment, stage: Stage) -> None:
    tagging = Tagging(stage.contact(deed), deed.said["tag"], setting.SOURCE)
    transactions.run(lambda now: tags.add_tags([tagging], now=now))


def _add_to_list(deed: Moment, stage: Stage) -> None:
    place = Place(stage.contact(deed), deed.said["list"], setting.SOURCE)
    transactions.run(lambda now: lists.join([place], now=now))


def _suppress(deed: Moment, stage: Stage) -> None:
    reason = deed.said["reason"]
    if reason not in REASONS:
        raise Impossible(f"there is no reason {reason!r}; there are {', '.join(sorted(REASONS))}")
    _stop_writing(stage.contact(deed), scope="email" if reason == "unsubscribe" else ALL, reason=reason)


def _stop_writing(contact_id: int, *, scope: str, reason: str) -> None:
    address = Contact.objects.values_list("email", flat=True).get(pk=contact_id)
    if not address:
        raise Impossible("the contact has no e-mail address")
    suppression.suppress(
        channel="email", address=address, scope=scope, reason=reason, source=setting.SOURCE, now=clock.now()
    )


def _unsubscribe(deed: Moment, stage: Stage) -> None:
    """By the link of the last mail; whoever got none yet tells us otherwise."""
    contact_id = stage.contact(deed)
    if (mail := _last_mail(contact_id)) is not None:
        unsubscribing.unsubscribe(unsubscribing.token_of(str(mail.mid)), source="one_click", now=clock.now())
    else:
        _stop_writing(contact_id, scope="email", reason="unsubscribe")


def _consent(deed: Moment, stage: Stage) -> None:
    contact_id = stage.contact(deed)
    said = [Consent(contact_id, about, deed.said[about]) for about in ("tracking", "marketing") if about in deed.said]
    transactions.run(lambda now: consent.record(said, source=setting.SOURCE, now=now))


def _enrol(deed: Moment, stage: Stage) -> None:
    """As the API does. Who may not enter does not, and the refusal says why."""
    slug = deed.said.get("workflow", stage.slug)
    workflow = Workflow.objects.filter(slug=slug).first()
    if workflow is None:
        raise Impossible(f"there is no journey {slug!r}")
    person = Asked(public_id=Contact.objects.get(pk=stage.contact(deed)).public_id)
    try:
        enrolling.enrol([person], workflow_id=workflow.pk, kind="api")
    except NotLive as error:
        raise Impossible(str(error)) from error


def _remove(deed: Moment, stage: Stage) -> None:
    enrolment = (
        Enrolment.objects.filter(
            contact_id=stage.contact(deed), workflow__slug=deed.said.get("workflow", stage.slug), finished_at=None
        )
        .order_by("-id")
        .first()
    )
    if enrolment is None:
        raise Impossible(f"{deed.said['contact']} is not in the journey")
    transactions.run(partial(exits.take_out, [enrolment.pk], by=setting.BY))


def _webhook(deed: Moment, stage: Stage) -> None:
    """What SendGrid would post about the contact's last message, signed, through the entrance for webhooks. The same
    deed about the same message is the same delivery once more, byte for byte."""
    mail = _last_mail(stage.contact(deed))
    if mail is None:
        raise Impossible(f"no message was sent to {deed.said['contact']} yet")
    mid, name = str(mail.mid), deed.said["event"].lower()
    if (mid, name) not in stage.told:
        stage.told[mid, name] = _body(mid, name, mail.to_address, clock.now())
    body = stage.told[mid, name]
    timestamp = str(int(clock.now().timestamp()))
    headers = {EventWebhookHeader.TIMESTAMP: timestamp, EventWebhookHeader.SIGNATURE: sandbox_key.sign(timestamp, body)}
    request = RequestFactory().post("/webhooks/sandbox/", body, content_type="application/json", headers=headers)
    answer: HttpResponse = entrance.receive(request, "sandbox")
    if answer.status_code != 200:
        raise Impossible(f"the entrance for webhooks answered {answer.status_code}")


def _body(mid: str, name: str, address: str, now: datetime) -> bytes:
    more: Mapping[str, Any] = {}
    if name == "bounce":
        more = {**_HARD, "reason": "550 5.1.1 nobody lives here"}
    elif name == "open":
        more = {"sg_machine_open": False}
    elif name == "click":
        more = {"url": "https://example.com/"}
    event = {"email": address, "timestamp": round(now.timestamp(), 3), "event": name, "mid": mid, **more}
    return json.dumps([{**event, "sg_event_id": f"{mid}.{name}", "sg_message_id": f"{mid}.test"}]).encode()


def _last_mail(contact_id: int) -> SandboxMail | None:
    """The last mail that the provider took."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.public_id::text FROM messages m JOIN message_states s ON s.message_id = m.id"
            " WHERE m.contact_id = %s AND m.channel = 'email' AND s.state = 'accepted' ORDER BY m.id DESC LIMIT 1",
            [contact_id],
        )
        row = cursor.fetchone()
    return SandboxMail.objects.get(mid=row[0]) if row else None


def _publish(deed: Moment, stage: Stage) -> None:
    try:
        setting.publish(deed.said["definition"])
    except CannotPublish as error:
        raise Impossible(f"it cannot be published: {error}") from error
    except (UnableToChange, ValueError) as error:
        raise Impossible(f"it cannot be published: {error}") from error


def _tick(deed: Moment, stage: Stage) -> None:
    """Time passes; that is all."""


_DEEDS: Mapping[str, Callable[[Moment, Stage], None]] = {
    "track": _track,
    "update_contact": _update_contact,
    "add_tag": _add_tag,
    "add_to_list": _add_to_list,
    "suppress": _suppress,
    "unsubscribe": _unsubscribe,
    "consent": _consent,
    "enrol": _enrol,
    "remove": _remove,
    "webhook": _webhook,
    "publish": _publish,
    "tick": _tick,
}
