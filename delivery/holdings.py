"""What the post office holds of a person."""

from __future__ import annotations

from contacts.holdings import STAY, Holding, register

EMPTY = "'{}'::jsonb"
# the journey, step and template that a message is about are nobody's: the ledger can still be asked for them
ABOUT = "jsonb_strip_nulls(jsonb_build_object('about', context->'about'))"
THEIR_MESSAGES = "message_id IN (SELECT id FROM messages WHERE contact_id = ANY(%(contacts)s))"


def declare() -> None:
    """Called once, when the app is ready."""
    register(
        Holding(
            "messages",
            "Messages",
            ("public_id", "channel", "message_class", "topic", "context", "created_at"),
            erase={"context": ABOUT},
            append_only=True,
        ),
        Holding("outbox", "Messages under way", ("state", "due_at"), erase={}, key="message_id", worked_on=True),
        Holding(
            "contact_send_log",
            "What became of messages",
            ("message_id", "kind", "reason", "provider", "provider_said", "evidence", "at"),
            erase={"provider_said": "''", "evidence": EMPTY},
            append_only=True,
        ),
        Holding(
            "message_feedback",
            "What providers told us",
            ("message_id", "kind", "occurred_at", "is_machine", "detail", "provider"),
            erase={"detail": EMPTY},
            merge=STAY,
            contact="",
            where=THEIR_MESSAGES,
            append_only=True,
        ),
        Holding(
            "staff_notices",
            "Mails to our staff",
            ("to_address", "subject", "state", "created_at"),
            erase=None,
        ),
        Holding(
            "webhook_deliveries",
            "What other servers were told",
            ("event_type", "state", "status", "created_at", "finished_at"),
            erase={},
        ),
        Holding("push_devices", "Devices for push messages", ("kind", "agent", "created_at", "gone_at"), erase=None),
        Holding(
            "sandbox_mails",
            "Mails in the sandbox",
            ("mid", "to_address", "subject", "text", "received_at"),
            erase=None,
            merge=STAY,
            contact="",
            where="mid IN (SELECT public_id FROM messages WHERE contact_id = ANY(%(contacts)s))",
        ),
    )
