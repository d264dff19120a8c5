"""The tables of the ground floor, one noun a file."""

from contacts.models.access import ApiKey
from contacts.models.audience import ContactTag, Tag
from contacts.models.consent import ConsentRecord
from contacts.models.contact import Contact, ContactChange
from contacts.models.event import ContactEvent, EventKey, PendingEvent
from contacts.models.identity import ContactIdentity

__all__ = [
    "ApiKey",
    "ConsentRecord",
    "Contact",
    "ContactChange",
    "ContactEvent",
    "ContactIdentity",
    "ContactTag",
    "EventKey",
    "PendingEvent",
    "Tag",
]
