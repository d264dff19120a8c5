"""What conditions may ask about on this floor: `in_workflow`, whether the contact is in a journey now."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from contacts.audiences import checks
from contacts.conditions import NodeKind, Sql, register_node
from workflows.watches import watch_checks

ENROLMENTS = "workflow"  # what it reads: whoever enters or leaves a journey is marked with it


def register() -> None:
    """Called once, when the app is ready."""
    register_node(
        "in_workflow",
        NodeKind(sql=_in_workflow, sentence=lambda slug: f"is in the journey “{slug}”", reads=frozenset({ENROLMENTS})),
    )


def mark(contact_ids: Collection[int], *, lane: str, now: datetime) -> None:
    """These contacts entered journeys or left them, in the caller's transaction: segments, waits and exits may ask
    about it."""
    checks.mark(contact_ids, {ENROLMENTS}, lane=lane, now=now)
    watch_checks.after_changes(contact_ids, {ENROLMENTS}, lane=lane, now=now)


def _in_workflow(slug: str, alias: str, now: datetime) -> Sql:
    return Sql(
        f"EXISTS (SELECT FROM workflow_enrolments AS enrolled WHERE enrolled.contact_id = {alias}.id "
        "AND enrolled.workflow_id = (SELECT id FROM workflows WHERE slug = %s) AND enrolled.finished_at IS NULL)",
        [slug],
    )
