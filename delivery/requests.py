"""What a floor above hands over when it wants something sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class SendRequest:
    """One message to one contact.

    `idempotency_key` names what made it (`enrolment:<id>:<seq>`): a second request with the same key is dropped.
    `context` is merge data beside the contact: `{"trigger": {…}, "about": {"workflow": slug, "step": …, "template":
    slug}}`; `about` is copied into every event that is recorded about the message. `quiet_hours` says when marketing
    must not go out (`delivery.quiet_hours`). `workflow_id`, `version_id`, `step` and `enrolment_id` are remembered and
    never interpreted here.
    """

    contact_id: int
    channel: str  # email · sms · push
    template_version_id: int
    idempotency_key: str
    message_class: str = "marketing"  # marketing · transactional
    topic: str = ""
    priority: int = 5  # 1 to 10, 10 first
    override_cap: bool = False
    lane: str = "urgent"  # urgent · bulk
    context: Mapping[str, Any] = field(default_factory=dict)
    quiet_hours: Mapping[str, Any] | None = None
    workflow_id: int | None = None
    version_id: int | None = None
    step: str = ""
    enrolment_id: int | None = None
