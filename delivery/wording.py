"""What the post office decided, in words that a marketer understands. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from delivery.webhooks import machines, vocabulary

STATES: Mapping[str, str] = {
    "queued": "Waiting to be sent",
    "sending": "Being sent",
    "accepted": "Sent",
    "rejected": "Refused",
    "in_doubt": "In doubt",
    "undetermined": "Never found out",
    "suppressed": "Not sent",
    "capped": "Not sent",
    "cancelled": "Cancelled",
}

DEEDS: Mapping[str, str] = {
    "claimed": "Taken for sending",
    "accepted": "The provider took it",
    "rejected": "The provider refused it",
    "retry": "Not taken; will be tried again",
    "not_started": "Was not started; back in the queue",
    "in_doubt": "Nobody knows whether the provider took it; it is not sent again blindly",
    "undetermined": "No proof came in time; counted as perhaps sent",
    "suppressed": "Not sent",
    "capped": "Not sent",
    "cancelled": "Cancelled before it was sent",
    "deferred": "Put off for now",
    "replayed": "Sent anew by a person, with all its attempts",
}

REASONS: Mapping[str, str] = {
    "unsubscribe": "they unsubscribed",
    "hard_bounce": "the address does not exist",
    "soft_bounce": "the mailbox kept refusing",
    "complaint": "they marked an earlier email as spam",
    "manual": "somebody here suppressed the address",
    "provider": "the provider suppresses the address",
    "frequency_cap": "the frequency cap was reached",
    "consent": "there is no consent to marketing",
    "quiet_hours": "it is quiet hours where they are",
    "failed": "a step of the journey failed",
    "no_address": "the contact has no address to write to",
    "no_provider": "no provider sends on this channel",
    "no_device": "the contact has no device for push messages",
    "goal_achieved": "the journey's goal was reached first",
    "disqualified": "the contact no longer qualified for the journey",
    "manually_removed": "the contact was taken out of the journey",
    "workflow_archived": "the journey was archived",
    "contact_erased": "the contact was erased",
    "contact_merged": "the contact was merged into another",
    "retries_exhausted": "every attempt failed",
    "lease_over": "its time to start had passed",
    "refused_meanwhile": "they had said no more meanwhile",
    "no_journal": "its start could not be noted",
    "rate_limited": "it was too much for the provider",
    "over_quota": "the account's quota was used up",
    "provider_fault": "the code for the provider failed",
    "relay_denied": "the mail server takes nothing from us for others",
    "worker_lost": "the worker was lost while it was sending",
    "reported": "the provider reported on it later",
    "repeated": "the provider knew it when it was handed over again",
    "answered_before_the_end": "the answer came before the worker was lost",
    "provably_not_started": "it was proven that nothing was sent",
    "repeat": "to find out whether the provider has it",
    "looked_up": "the provider was asked and has it",
    "deadline": "no proof came in time",
}

SHORT_REASONS: Mapping[str, str] = {  # behind a number: 2,104 unsubscribed
    "unsubscribe": "unsubscribed",
    "hard_bounce": "bounced",
    "soft_bounce": "kept bouncing",
    "complaint": "complained",
    "manual": "suppressed by hand",
    "provider": "suppressed by the provider",
    "frequency_cap": "capped",
    "consent": "without consent",
    "quiet_hours": "in quiet hours",
    "no_address": "without an address",
}

FEEDBACK: Mapping[str, tuple[str, str]] = {  # kind of the vocabulary -> words, tone
    vocabulary.PROCESSED: ("Taken by the provider", "plain"),
    vocabulary.DEFERRED: ("Deferred by the mailbox", "warn"),
    vocabulary.DELIVERED: ("Delivered", "good"),
    vocabulary.REJECTED: ("Dropped by the provider", "bad"),
    vocabulary.SOFT_BOUNCE: ("Bounced for now", "warn"),
    vocabulary.HARD_BOUNCE: ("Bounced for good", "bad"),
    vocabulary.OPENED: ("Opened", "good"),
    vocabulary.CLICKED: ("Clicked", "good"),
    vocabulary.COMPLAINED: ("Marked as spam", "bad"),
    vocabulary.UNSUBSCRIBED: ("Unsubscribed", "warn"),
    vocabulary.RESUBSCRIBED: ("Subscribed again at the provider", "plain"),
    vocabulary.UNKNOWN: ("Something we have no word for", "plain"),
}

SIGNS: Mapping[str, str] = {
    machines.REPORTED: "the provider says so",
    machines.CANARY: "it followed the link that nobody sees",
    machines.METHOD: "it only looked whether the page is there",
    machines.PREFETCH: "it fetched ahead",
    machines.SCANNER: "a scanner or a preview, by its name",
    machines.PROGRAM: "a program, by its name",
    machines.MAIL_PRIVACY: "Apple's Mail Privacy Protection",
    machines.DISGUISE: "it is not the browser that it says it is",
    machines.TOO_SOON: "sooner than anybody reads",
}

REACTIONS: Mapping[str, str] = {  # of the sandbox's people
    "arrive": "Receives it",
    "prefetch": "A machine fetches it",
    "open": "Opens it",
    "click": "Clicks a link",
    "complain": "Marks it as spam",
    "unsubscribe": "Unsubscribes",
}


def reason(name: str) -> str:
    """Why, as the end of a sentence."""
    return REASONS.get(name) or name.replace("_", " ")


def short_reason(name: str) -> str:
    """Why, in a word or two behind a number."""
    return SHORT_REASONS.get(name) or reason(name)


def verdict(state: str, why: str = "") -> str:
    """A state with its reason: `Not sent: the frequency cap was reached`."""
    said = STATES.get(state) or state.replace("_", " ").capitalize()
    return f"{said}: {reason(why)}" if why else said


def evidence(found: Mapping[str, Any]) -> str:
    """What the gate read, as a sentence where it is the frequency cap; else empty."""
    if "sent_day" not in found:
        return ""

    def limit(value: Any) -> str:
        return "no limit" if value is None else f"{value} allowed"

    told = (
        f"{found['sent_day']} in the past 24 hours ({limit(found.get('per_day'))}), "
        f"{found.get('sent_week', 0)} in the past 7 days ({limit(found.get('per_week'))})"
    )
    place = found.get("place_in_line", 1)
    return told if place == 1 else f"{told}; number {place} in this contact's line"


def feedback(kind: str) -> tuple[str, str]:
    return FEEDBACK.get(kind) or (kind.replace("_", " ").capitalize(), "plain")


def who(kind: str, is_machine: bool, sign: str = "") -> str:
    """Who opened or clicked, and by which sign a machine was told (`webhooks.machines`); nobody in particular did the
    rest."""
    if kind not in {vocabulary.OPENED, vocabulary.CLICKED}:
        return ""
    if not is_machine:
        return "a person"
    return f"a machine: {SIGNS[sign]}" if sign in SIGNS else "a machine"


def reaction(name: str) -> str:
    return REACTIONS.get(name) or name.capitalize()
