"""The tables of the ground floor, one noun a file."""

from contacts.models.access import ApiKey, ServiceAccount
from contacts.models.audience import ContactTag, List, ListMember, Segment, SegmentCheck, SegmentMember, Tag
from contacts.models.audit import AuditEntry, AuditSeal, UnsealedEntry
from contacts.models.consent import ConsentRecord
from contacts.models.contact import Contact, ContactChange
from contacts.models.event import AwaitedEvent, ContactEvent, EventKey, PendingEvent
from contacts.models.freezing import Freeze, Installation
from contacts.models.idempotency import IdempotentRequest
from contacts.models.identity import ContactIdentity
from contacts.models.importing import ImportChunk, ImportPreset, ImportReject, ImportRun
from contacts.models.intake import IntakeDelta, IntakeTally, KafkaOffset, QuarantinedEvent, SeenEvent
from contacts.models.merge import ContactMerge, MergedRows
from contacts.models.privacy import ErasedIdentity, OptInRequest, PrivacyDeed

__all__ = [
    "ApiKey",
    "AuditEntry",
    "AuditSeal",
    "AwaitedEvent",
    "ConsentRecord",
    "Contact",
    "ContactChange",
    "ContactEvent",
    "ContactIdentity",
    "ContactMerge",
    "ContactTag",
    "ErasedIdentity",
    "EventKey",
    "Freeze",
    "IdempotentRequest",
    "ImportChunk",
    "ImportPreset",
    "ImportReject",
    "ImportRun",
    "Installation",
    "IntakeDelta",
    "IntakeTally",
    "KafkaOffset",
    "List",
    "ListMember",
    "MergedRows",
    "OptInRequest",
    "PendingEvent",
    "PrivacyDeed",
    "QuarantinedEvent",
    "SeenEvent",
    "Segment",
    "SegmentCheck",
    "SegmentMember",
    "ServiceAccount",
    "Tag",
    "UnsealedEntry",
]
