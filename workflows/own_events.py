"""Events that Carillon itself records: nobody else may say so, a journey's step neither."""

from __future__ import annotations

PREFIXES = ("email_", "sms_", "push_", "send_suppressed")
TYPES = frozenset(
    {
        "form_submitted",
        "lifecycle_changed",
        "list_joined",
        "list_left",
        "page_viewed",
        "score_threshold_crossed",
        "screen_viewed",
        "segment_entered",
        "segment_left",
        "tag_added",
        "tag_removed",
        "webhook_answered",
        "webhook_failed",
        "workflow_entered",
        "workflow_exited",
    }
)


def is_ours(event_type: str) -> bool:
    return event_type in TYPES or event_type.startswith(PREFIXES)
