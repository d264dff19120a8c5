"""The events that Carillon itself records."""

from __future__ import annotations

from collections.abc import Mapping

from config.reference.markdown import code, page, table
from delivery.webhooks import vocabulary
from workflows import own_events

# A test compares these with what is recorded.
TOLD: Mapping[str, str] = {
    "email_sent": "An e-mail was handed to the provider.",
    "email_delivered": "The mailbox took it.",
    "email_opened": "It was opened; `is_machine` says whether by a program.",
    "email_clicked": "A link in it was clicked; `is_machine` says whether by a program.",
    "email_bounced": "The mailbox refused it, for good or for now.",
    "email_deferred": "The mailbox will take it later; the provider goes on trying.",
    "email_rejected": "The provider or the mailbox refused it before it was sent.",
    "email_complained": "The person called it spam.",
    "email_unsubscribed": "The person wants no more.",
    "send_suppressed": "A message was held back, and why.",
    "send_suppressed_frequency_cap": "A message was held back: the person had had enough.",
    "page_viewed": "A page was viewed: of the snippet or a Segment client.",
    "screen_viewed": "A screen of an app was viewed.",
    "form_submitted": "A form was submitted.",
    "tag_added": "Somebody got a tag.",
    "tag_removed": "Somebody lost a tag.",
    "list_joined": "Somebody came onto a list.",
    "list_left": "Somebody left a list.",
    "segment_entered": "Somebody came into a segment.",
    "segment_left": "Somebody left a segment.",
    "lifecycle_changed": "Somebody came to another lifecycle stage.",
    "score_threshold_crossed": "A score crossed a threshold that somebody watches.",
    "workflow_entered": "Somebody entered a journey.",
    "workflow_exited": "Somebody left a journey, and why.",
    "webhook_answered": "The server that a journey called has answered.",
    "webhook_failed": "The server that a journey called did not answer well, however often it was tried.",
}


def recorded() -> frozenset[str]:
    """Every type that is ours; those of SMS and push are spelt like those of e-mail."""
    of_mail = set(vocabulary.EVENT_TYPES.values()) | {"email_sent", "send_suppressed", "send_suppressed_frequency_cap"}
    return own_events.TYPES | of_mail


def events_page() -> str:
    return page(
        "Events",
        "Yours may have any name (snake_case and the past tense read best: `order_completed`) and any properties. "
        "These are recorded by Carillon itself, and nobody else may say so. Those of SMS and push messages begin with "
        "`sms_` and `push_` in place of `email_`; all carry `message_id`, `workflow`, `step`, `template` and "
        "`enrolment_id`.",
        table(("Event", "When"), [(code(name), about) for name, about in TOLD.items()]),
    )
