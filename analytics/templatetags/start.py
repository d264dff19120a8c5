"""What the start page works out of `analytics.pages.start_page.StartPage` for the eye."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import template

register = template.Library()

REASONS_SHOWN = 3
QUEUES = {
    "events": "Events to match",
    "enrolments": "Contacts to move on",
    "admission": "Contacts who want a place",
    "paused": "Contacts in paused journeys",
    "checks": "Waits and exits to check",
    "entries": "Contacts sent on to journeys",
    "audiences": "Audiences being brought in",
    "calls": "Webhook calls to make",
    "posts": "Events for outgoing webhooks",
    "failed": "Failed steps to decide",
    "messages": "Messages to send",
    "scores": "Scores to check",
    "webhooks": "Webhooks to read",
    "in_doubt": "Messages in doubt",
    "counters": "Counts to add up",
}


@dataclass(frozen=True)
class Share:
    """A piece of a journey's bar, in contacts: where it begins and how long it is."""

    kind: str  # done · here · left · failed
    start: int
    width: int


@register.filter
def here_now(start: Any) -> int:
    return sum(journey.here_now for journey in start.journeys)


@register.filter
def why_skipped(start: Any) -> list[str]:
    """The most frequent reasons of all messages that were not sent: `12 frequency cap`, `3 unsubscribe`."""
    reasons: dict[str, int] = {}
    for outcome in start.outcomes:
        if outcome.state in {"suppressed", "capped", "cancelled"}:
            for reason, count in outcome.reasons:
                reasons[reason] = reasons.get(reason, 0) + count
    most = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:REASONS_SHOWN]
    return [f"{count:,} {reason.replace('_', ' ')}" for reason, count in most]


@register.filter
def shares(journey: Any) -> list[Share]:
    """The bar of a journey: everybody who entered, by where they are."""
    pieces, at = [], 0
    for kind, width in (
        ("done", journey.completed),
        ("here", journey.here_now),
        ("left", journey.exited),
        ("failed", journey.failed),
    ):
        if width:
            pieces.append(Share(kind, at, width))
            at += width
    return pieces


@register.filter
def busy(queues: Any) -> list[Any]:
    """Those in which something waits."""
    return [queue for queue in queues if queue.depth or queue.late]


@register.filter
def quiet(queues: Any) -> list[Any]:
    return [queue for queue in queues if not queue.depth and not queue.late]


@register.filter
def how_many(problems: Any) -> int:
    return sum(problem.count for problem in problems)


@register.filter
def queue_words(name: str) -> str:
    return QUEUES.get(name) or name.replace("_", " ").capitalize()


@register.filter
def age(seconds: float | None) -> str:
    """How old the oldest of a queue is, in the unit that says most."""
    if seconds is None:
        return "–"
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
