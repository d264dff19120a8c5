"""The tables of the post office, one noun a file."""

from delivery.models.device import PushDevice
from delivery.models.domain import PostTally, SendingDay, SendingDomain, SendingPulse
from delivery.models.endpoint import EndpointDelivery, WebhookEndpoint
from delivery.models.message import Message, OutboxEntry, SendLogEntry
from delivery.models.notice import StaffNotice
from delivery.models.provider import Provider, SandboxMail
from delivery.models.seed import SeedAddress
from delivery.models.suppression import Address, Suppression
from delivery.models.template import Template, TemplateVersion
from delivery.models.webhook import Feedback, ParkedReport, WebhookDelivery, WebhookToken

__all__ = [
    "Address",
    "EndpointDelivery",
    "Feedback",
    "Message",
    "OutboxEntry",
    "ParkedReport",
    "PostTally",
    "Provider",
    "PushDevice",
    "SandboxMail",
    "SeedAddress",
    "SendLogEntry",
    "SendingDay",
    "SendingDomain",
    "SendingPulse",
    "StaffNotice",
    "Suppression",
    "Template",
    "TemplateVersion",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookToken",
]
