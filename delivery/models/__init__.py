"""The tables of the post office, one noun a file."""

from delivery.models.message import Message, OutboxEntry, SendLogEntry
from delivery.models.notice import StaffNotice
from delivery.models.provider import Provider, SandboxMail
from delivery.models.suppression import Address, Suppression
from delivery.models.template import Template, TemplateVersion
from delivery.models.webhook import Feedback, WebhookDelivery

__all__ = [
    "Address",
    "Feedback",
    "Message",
    "OutboxEntry",
    "Provider",
    "SandboxMail",
    "SendLogEntry",
    "StaffNotice",
    "Suppression",
    "Template",
    "TemplateVersion",
    "WebhookDelivery",
]
