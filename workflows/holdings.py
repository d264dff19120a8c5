"""What the engine holds of a person."""

from __future__ import annotations

from contacts.holdings import KEEP, STAY, UNITE, Holding, register

EMPTY = "'{}'::jsonb"
# a re-entry key may be a name; what takes its place stays unique, as the key is
NOBODYS_KEY = "CASE WHEN entry_key = '' THEN '' ELSE 'erased:' || id END"


def declare() -> None:
    """Called once, when the app is ready. The journal goes with its enrolment: it is read through it."""
    register(
        Holding(
            "workflow_enrolments",
            "Journeys",
            ("workflow_id", "version_id", "state", "step", "entered_at", "finished_at", "exit_reason", "trigger"),
            erase={"trigger": EMPTY, "entry_key": NOBODYS_KEY, "snapshot": "NULL"},
            worked_on=True,
        ),
        Holding(
            "workflow_journal",
            "Steps of journeys",
            ("enrolment_id", "seq", "step", "step_type", "outcome", "port", "detail", "at"),
            erase={"detail": EMPTY},
            merge=STAY,
            key="enrolment_id",
            append_only=True,
        ),
        Holding(
            "entry_refusals",
            "Journeys not entered",
            ("workflow_id", "reason", "refused_at"),
            erase={"detail": EMPTY},
            append_only=True,
        ),
        Holding("entry_requests", "Journeys to be entered", ("workflow_id", "requested_at"), erase=None),
        Holding(
            "date_entries",
            "Journeys that a date starts",
            ("workflow_id", "occasion", "due_at", "done_at"),
            erase=None,
            merge=UNITE,
            once=("workflow_id", "occasion"),
        ),
        Holding("watch_checks", "Journeys to look at again", ("due_at",), erase=None),
        Holding(
            "dead_letters",
            "Steps that failed",
            ("workflow_id", "step", "category", "error", "failed_at", "state"),
            erase={"trace": "''"},
        ),
        Holding(
            "experiment_assignments",
            "Variants of experiments",
            ("experiment", "variant", "assigned_at"),
            erase=KEEP,
            once=("experiment",),
            append_only=True,
        ),
        Holding(
            "webhook_calls",
            "Calls about the contact",
            ("url", "method", "body", "state", "status", "answer", "finished_at"),
            erase={"headers": EMPTY, "body": "''", "answer": "NULL", "url": "''"},
        ),
        Holding(
            "sales_tasks",
            "Tasks for salespeople",
            ("owner_email", "message", "made_at", "done_at"),
            erase={"message": "''", "owner_email": "''"},
        ),
    )
