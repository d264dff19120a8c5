"""What the engine did, in words that a marketer understands. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EXITS: Mapping[str, str] = {
    "completed": "came to the end",
    "goal_achieved": "reached the goal",
    "disqualified": "no longer qualified",
    "timed_out": "ran out of time",
    "manually_removed": "was taken out by hand",
    "contact_erased": "was erased",
    "contact_merged": "was merged into another contact",
    "workflow_archived": "the journey was archived",
    "failed": "a step failed",
}
REFUSALS: Mapping[str, str] = {
    "audience": "the contact is not in the journey's audience",
    "re_entry": "the contact has been in it, and may not enter again",
    "restricted": "the processing of the contact's data is restricted",
    "contact_erased": "the contact was erased",
    "paused": "the journey is paused",
    "holdout": "the contact belongs to the holdout",
    "rollout": "the journey is rolled out to others first",
    "too_old": "the event is too old to start a journey",
    "consent": "there is no tracking consent",
}
STEPS: Mapping[str, tuple[str, str, str]] = {  # type -> words, icon, tone
    "send_email": ("Email asked for", "mail", "indigo"),
    "send_sms": ("SMS asked for", "sms", "indigo"),
    "send_push": ("Push message asked for", "notifications", "indigo"),
    "wait": ("Wait", "schedule", "amber"),
    "wait_for_event": ("Wait for an event", "hourglass_top", "amber"),
    "wait_for_condition": ("Wait for a condition", "hourglass_top", "amber"),
    "branch": ("Branch", "call_split", "emerald"),
    "experiment": ("Experiment", "science", "emerald"),
    "add_tag": ("Tag added", "sell", "sky"),
    "remove_tag": ("Tag removed", "sell", "sky"),
    "add_to_list": ("Added to a list", "playlist_add", "sky"),
    "remove_from_list": ("Taken off a list", "playlist_remove", "sky"),
    "change_lifecycle_stage": ("Lifecycle stage changed", "trending_up", "sky"),
    "exit": ("Exit", "logout", "rose"),
}
WAITS = frozenset({"wait", "wait_for_event", "wait_for_condition"})
SENDS = frozenset({"send_email", "send_sms", "send_push"})


def exit_reason(name: str) -> str:
    return EXITS.get(name) or name.replace("_", " ")


def refusal(name: str) -> str:
    return REFUSALS.get(name) or name.replace("_", " ")


def icon(step_type: str) -> tuple[str, str]:
    """Its icon and tone."""
    return STEPS.get(step_type, ("", "play_arrow", "violet"))[1:]


def journal(step_type: str, outcome: str, port: str, detail: Mapping[str, Any]) -> str:
    """What happened at one step, as a short sentence."""
    if outcome == "failed":
        return f"The step failed ({detail.get('error', 'no reason kept')})"
    if outcome == "left":
        return f"Left: {exit_reason(str(detail.get('reason', 'exit')))}"
    if outcome == "waiting":
        until = " ".join(str(detail[key]) for key in ("weekday", "local", "at", "zone") if detail.get(key))
        return f"Began to wait{f' for {until}' if until else ''}"
    if step_type in WAITS:
        return {"happened": "It happened: went on", "timed_out": "It did not happen in time: went on"}.get(
            port, "The wait was over: went on"
        )
    if port and port != "next":
        return f"Took the way “{port}”"
    words = STEPS.get(step_type)
    if detail.get("skipped") == "skip_if":
        return "Passed over: the condition for that was true"
    if detail.get("skipped"):
        return f"Skipped: {str(detail['skipped']).replace('_', ' ')}"
    return words[0] if words else step_type.replace("_", " ").capitalize()
