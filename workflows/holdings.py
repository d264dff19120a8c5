"""What the engine holds of a person."""

from __future__ import annotations

from contacts.holdings import KEEP, STAY, Holding, register

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
            erase={"trigger": EMPTY, "entry_key": NOBODYS_KEY},
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
            erase=KEEP,
            append_only=True,
        ),
    )
