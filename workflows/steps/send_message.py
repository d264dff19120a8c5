"""Send an e-mail, an SMS or a push message: leaves it with the post office and goes on at once, whatever becomes of
it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field

from delivery import outbox
from delivery.authoring import templates
from delivery.requests import SendRequest
from workflows.definition import phrases
from workflows.definition.shown import Shown
from workflows.definition.strict import Strict
from workflows.steps.base import Advance, Cohort, Outcome, StepType

Slug = Annotated[str, Field(min_length=1, max_length=100)]


class SendConfig(Strict):
    template: Slug
    topic: Annotated[
        str, Shown("Topic", control="topic", help="Whoever does not want this topic does not get the message.")
    ] = ""


class EmailConfig(SendConfig):
    template: Annotated[Slug, Shown("Template", control="template", channel="email")]


class SmsConfig(SendConfig):
    template: Annotated[Slug, Shown("Template", control="template", channel="sms")]


class PushConfig(SendConfig):
    template: Annotated[Slug, Shown("Template", control="template", channel="push")]


@dataclass(frozen=True)
class Send:
    """A message to leave with the post office."""

    request: SendRequest

    @classmethod
    def apply(cls, effects: list[Send], now: datetime) -> None:
        outbox.enqueue([effect.request for effect in effects], now=now)


class _SendStep(StepType):
    channel: ClassVar[str]

    def sentence(self, config: SendConfig) -> str:
        topic = f", as one of {phrases.quoted(config.topic)}" if config.topic else ""
        return f"{self.label} {phrases.quoted(config.template)}{topic}"

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        config: SendConfig = prepared
        version_id = templates.live_version_ids([config.template]).get(config.template)
        if version_id is None:  # deleted since the workflow was published: the contact goes on, the journal says why
            return [Advance(detail={"skipped": "no_template", "template": config.template}) for _ in cohort.members]
        about = {"workflow": cohort.workflow_slug, "step": cohort.step, "template": config.template}
        settings = cohort.settings
        hours = settings.quiet_hours
        quiet = hours and {**hours.model_dump(by_alias=True), "timezone": settings.default_timezone or ""}
        return [
            Advance(
                detail={"template_version": version_id},
                effects=(
                    Send(
                        SendRequest(
                            contact_id=member.contact_id,
                            channel=self.channel,
                            template_version_id=version_id,
                            idempotency_key=f"enrolment:{member.enrolment_id}:{member.seq}",
                            message_class=settings.message_class,
                            topic=config.topic,
                            priority=settings.priority,
                            override_cap=settings.override_frequency_cap,
                            lane=cohort.lane,
                            context={"about": about, "trigger": member.trigger.get("properties", {})},
                            quiet_hours=quiet or None,
                            workflow_id=cohort.workflow_id,
                            version_id=cohort.version_id,
                            step=cohort.step,
                            enrolment_id=member.enrolment_id,
                        )
                    ),
                ),
            )
            for member in cohort.members
        ]


class SendEmail(_SendStep):
    key = "send_email"
    label = "Send email"
    group, icon = "messages", "mail"
    hint = "Send one of your email templates"
    channel = "email"
    Config = EmailConfig


class SendSms(_SendStep):
    key = "send_sms"
    label = "Send SMS"
    group, icon = "messages", "sms"
    hint = "Send a text message"
    channel = "sms"
    Config = SmsConfig


class SendPush(_SendStep):
    key = "send_push"
    label = "Send push message"
    group, icon = "messages", "notifications"
    hint = "Send a push message to their devices"
    channel = "push"
    Config = PushConfig
