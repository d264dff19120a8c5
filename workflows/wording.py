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
    "loop": "journeys and calls led here one from another, and would go round for ever",
    "too_often": "the contact has entered it too often within a day",
    "not_live": "the journey is not live",
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
    "update_contact": ("Contact updated", "edit", "sky"),
    "emit_event": ("Event recorded", "bolt", "sky"),
    "enter_workflow": ("Sent into another journey", "login", "emerald"),
    "notify_sales": ("Sales asked to act", "support_agent", "indigo"),
    "call_webhook": ("Webhook called", "webhook", "violet"),
    "goal": ("Goal reached", "flag", "emerald"),
    "exit": ("Exit", "logout", "rose"),
}
WAITS = frozenset({"wait", "wait_for_event", "wait_for_condition"})
SENDS = frozenset({"send_email", "send_sms", "send_push"})


def status(word: str) -> str:
    """A workflow's status after "this workflow is": `a draft`, `live`."""
    return "a draft" if word == "draft" else word


def exit_reason(name: str) -> str:
    return EXITS.get(name) or name.replace("_", " ")


def refusal(name: str) -> str:
    return REFUSALS.get(name) or name.replace("_", " ")


def refusal_name(name: str) -> str:
    """The same in a word or two, for a pill."""
    return "Re-entry" if name == "re_entry" else name.replace("_", " ").capitalize()


def icon(step_type: str) -> tuple[str, str]:
    """Its icon and tone."""
    return STEPS.get(step_type, ("", "play_arrow", "violet"))[1:]


def journal(step_type: str, outcome: str, port: str, detail: Mapping[str, Any]) -> str:
    """What happened at one step, as a short sentence."""
    if outcome == "failed":
        return f"The step failed ({detail.get('error', 'no reason kept')})"
    if outcome == "left":
        return f"Left: {exit_reason(str(detail.get('reason', 'exit')))}{_why_left(detail)}"
    if outcome == "moved":
        back = " back" if detail.get("undone") else ""
        return f"Was moved{back} to version {detail.get('to_version', '?')}, step “{detail.get('to_step', '?')}”"
    if outcome == "waiting":
        return (
            "Webhook asked for: waits for the answer"
            if step_type == "call_webhook"
            else f"Began to wait{_until(detail)}"
        )
    if detail.get("skipped") == "skip_if":
        return "Passed over: the condition for that was true"
    if said := _of_the_step(step_type, detail):
        return said
    if step_type in WAITS:
        return {"happened": "It happened: went on", "timed_out": "It did not happen in time: went on"}.get(
            port, "The wait was over: went on"
        )
    if port and port != "next":
        return f"Took the path “{port}”"
    words = STEPS.get(step_type)
    if detail.get("skipped"):
        return f"Skipped: {str(detail['skipped']).replace('_', ' ')}"
    return words[0] if words else step_type.replace("_", " ").capitalize()


def _of_the_step(step_type: str, detail: Mapping[str, Any]) -> str:
    """What only a step of this kind says; empty where there is nothing of that."""
    if step_type == "experiment" and detail.get("variant"):
        return f"Saw the variant “{detail['variant']}”"
    if step_type == "notify_sales" and detail.get("mail") == "no_owner":
        return "Sales asked to act: nobody owns the contact, so there is a task and no mail"
    if step_type == "call_webhook" and detail.get("failed"):
        return f"Webhook not answered ({str(detail['failed']).replace('_', ' ')}): went on"
    if step_type == "update_contact" and (left_out := [*detail.get("refused", ()), *detail.get("missing", ())]):
        return f"Contact updated, but not {', '.join(str(name) for name in left_out)}"
    if detail.get("skipped") == "loop":
        return "Skipped: journeys led here one from another, and would go round for ever"
    return ""


def _why_left(detail: Mapping[str, Any]) -> str:
    """By whose hand, or by which rule of the goals or disqualifications, as they are numbered on the page."""
    if detail.get("by"):
        return f" ({detail['by']})"
    if "rule" not in detail:
        return ""
    what = f"event {detail['event_id']}" if "event_id" in detail else "its condition became true"
    return f" (rule {detail['rule'] + 1}: {what})"


def _until(detail: Mapping[str, Any]) -> str:
    """The time on the wall that a wait is for, and whose wall; or until when something has to happen."""
    if "deadline" in detail:
        return f", until {str(detail['deadline'])[:16].replace('T', ' ')} UTC at the latest"
    if "local_date" not in detail:
        return ""
    said = f" until {detail['local_date']} {str(detail.get('local_time', ''))[:5]} in {detail.get('zone', 'UTC')}"
    if detail.get("unknown_zone"):
        said += f" (the contact's time zone, {detail['unknown_zone']}, is unknown)"
    return said
