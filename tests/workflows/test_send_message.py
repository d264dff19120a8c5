"""The steps `send_email`, `send_sms` and `send_push`: one message each, by its channel, and what holds for that one."""

from __future__ import annotations

import pytest
from django.db import transaction

from contacts import clock, consent
from contacts.consent import Consent
from contacts.models import ContactEvent
from delivery import sending, suppression
from delivery.authoring import templates
from delivery.models import Message, SandboxMail, SendLogEntry
from tests import journeys
from tests.journeys import definition, step
from workflows.definition.validation import validate

pytestmark = pytest.mark.django_db(transaction=True)
CHANNELS = ["email", "sms", "push"]


def template(channel: str) -> None:
    with transaction.atomic():
        templates.save_version(
            slug=channel, name=channel, subject="Hello", html="", text="Hi {{first_name}}, {{trigger.code}}",
            channel=channel, now=clock.now(),
        )  # fmt: skip


def send(channel: str, *, topic: str = "", steps: dict | None = None, **fields) -> int:
    template(channel)
    journeys.publish(definition(steps or {"send": step(f"send_{channel}", template=channel, topic=topic)}))
    contact = journeys.contact(**{"phone": "+15550100", "attributes": {"first_name": "Ada"}, **fields})
    journeys.track(contact.pk, "signed_up", properties={"code": "1234"})
    journeys.run()
    assert journeys.enrolment(contact.pk).state == "completed"
    return contact.pk


def deliver() -> None:
    while sending.deliver_batch("urgent"):
        pass


def became() -> tuple[str, str]:
    row = SendLogEntry.objects.latest("id")
    return row.kind, row.reason


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_message_goes_out_by_its_channel_and_is_an_event_of_that_channel(channel):
    contact_id = send(channel)
    message = Message.objects.get()
    assert (message.channel, message.step, message.contact_id) == (channel, "send", contact_id)
    deliver()
    assert became() == ("accepted", "")
    taken = SandboxMail.objects.get()
    assert taken.text.startswith("Hi Ada, 1234")
    expected = {"email": "ada@example.com", "sms": "+15550100"}
    assert taken.to_address == expected.get(channel, str(journeys.Contact.objects.get().public_id))
    event = ContactEvent.objects.get(type=f"{channel}_sent")
    assert (event.properties["workflow"], event.properties["step"], event.properties["template"]) == (
        "journey", "send", channel,
    )  # fmt: skip


@pytest.mark.parametrize("channel", ["sms", "push"])
def test_sms_and_push_hold_no_link_for_mail_and_nobody_clicks_in_them(channel):
    send(channel)
    deliver()
    taken = SandboxMail.objects.get()
    assert "nsubscribe" not in taken.text
    assert taken.reacts_at is None


def test_a_contact_without_a_telephone_gets_no_sms_and_the_journey_goes_on():
    send("sms", phone="")
    deliver()
    assert became() == ("suppressed", "no_address")


def test_a_suppressed_number_is_not_written_to_and_mail_still_is():
    suppression.suppress(
        channel="sms", address="+15550100", scope="sms", reason="manual", source="test", now=clock.now()
    )
    template("email")
    steps = {
        "send": step("send_sms", {"next": "mail"}, template="sms"),
        "mail": step("send_email", template="email"),
    }
    send("sms", steps=steps)
    deliver()
    assert set(SendLogEntry.objects.exclude(kind="claimed").values_list("channel", "kind", "reason")) == {
        ("sms", "suppressed", "manual"), ("email", "accepted", ""),
    }  # fmt: skip


def test_consent_is_asked_for_the_channel():
    template("push")
    journeys.publish(definition({"send": step("send_push", template="push")}))
    contact = journeys.contact()
    with transaction.atomic():
        said = Consent(contact.pk, "marketing", "denied", topic="push")
        consent.record([said], source="test", now=clock.now())
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    deliver()
    assert became() == ("suppressed", "consent")


def test_a_provider_of_mail_alone_rejects_the_others_and_leaves_nothing_in_the_queue(settings):
    settings.SMS_PROVIDER = ""
    send("sms")
    deliver()
    assert became() == ("rejected", "no_provider")
    from delivery.models import OutboxEntry

    assert not OutboxEntry.objects.exists()


def test_the_frequency_cap_is_of_mail_and_counts_no_sms():
    template("email")
    steps = {
        "one": step("send_sms", {"next": "two"}, template="sms"),
        "two": step("send_sms", {"next": "mail"}, template="sms"),
        "mail": step("send_email", template="email"),
    }
    send("sms", steps=steps)
    deliver()
    assert sorted(SendLogEntry.objects.exclude(kind="claimed").values_list("channel", "kind")) == [
        ("email", "accepted"), ("sms", "accepted"), ("sms", "accepted"),
    ]  # fmt: skip


def test_a_template_of_another_channel_is_warned_of():
    template("email")
    found = validate(definition({"send": step("send_sms", template="email")}))
    assert [(problem.step, problem.code, problem.severity) for problem in found] == [
        ("send", "wrong_channel", "warning")
    ]


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_template_that_is_not_there_is_an_error(channel):
    found = validate(definition({"send": step(f"send_{channel}", template="nothing")}))
    assert [(problem.field, problem.code) for problem in found] == [("config.template", "ref_missing")]
