"""Send an e-mail: leaves a message with the post office and goes on at once, whatever becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from delivery import outbox, templates
from delivery.requests import SendRequest
from workflows.definition.strict import Strict
from workflows.steps.base import Advance, Cohort, Outcome, StepType


class SendEmailConfig(Strict):
    template: Annotated[str, Field(min_length=1, max_length=100)]
    topic: str = ""


@dataclass(frozen=True)
class Send:
    """A message to leave with the post office."""

    request: SendRequest

    @classmethod
    def apply(cls, effects: list[Send], now: datetime) -> None:
        outbox.enqueue([effect.request for effect in effects], now=now)


class SendEmail(StepType):
    key = "send_email"
    label = "Send email"
    Config = SendEmailConfig

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        config: SendEmailConfig = prepared
        version_id = templates.live_version_ids([config.template]).get(config.template)
        if version_id is None:  # deleted since the workflow was published: the contact goes on, the journal says why
            return [Advance(detail={"skipped": "no_template", "template": config.template}) for _ in cohort.members]
        about = {"workflow": cohort.workflow_slug, "step": cohort.step, "template": config.template}
        settings = cohort.settings
        return [
            Advance(
                detail={"template_version": version_id},
                effects=(
                    Send(
                        SendRequest(
                            contact_id=member.contact_id,
                            channel="email",
                            template_version_id=version_id,
                            idempotency_key=f"enrolment:{member.enrolment_id}:{member.seq}",
                            message_class=settings.message_class,
                            topic=config.topic,
                            priority=settings.priority,
                            override_cap=settings.override_frequency_cap,
                            lane=cohort.lane,
                            context={"about": about, "trigger": member.trigger.get("properties", {})},
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
