"""Bring the contact into another journey. What becomes of that is decided there: re-entry, audience, rollout."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from django.db import connection

from contacts import doorbell
from workflows.definition import phrases
from workflows.definition.shown import Shown
from workflows.definition.strict import Slug, Strict
from workflows.entry import hops
from workflows.steps.base import Advance, Cohort, Member, Outcome, StepType

BELL = "workflows.intake"


class EnterWorkflowConfig(Strict):
    """`workflow` is the other journey's slug."""

    workflow: Annotated[
        Slug,
        Shown("Journey", control="journey", help="Whether the contact may enter is decided by its own settings."),
    ]


@dataclass(frozen=True)
class Request:
    """A row for whoever decides about entries (`entry_requests`)."""

    workflow_id: int
    contact_id: int
    lane: str
    trigger: str  # JSON

    @classmethod
    def apply(cls, effects: list[Request], now: datetime) -> None:
        lane = effects[0].lane
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO entry_requests (workflow_id, contact_id, lane, trigger, requested_at)"
                " SELECT workflow_id, contact_id, %s, trigger::jsonb, %s"
                " FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS r(workflow_id, contact_id, trigger)",
                [
                    lane,
                    now,
                    [effect.workflow_id for effect in effects],
                    [effect.contact_id for effect in effects],
                    [effect.trigger for effect in effects],
                ],
            )
        doorbell.ring_on_commit(BELL, lane)


class EnterWorkflow(StepType):
    key = "enter_workflow"
    label = "Enter journey"
    group, icon = "logic", "account_tree"
    hint = "Send the contact into another journey"
    Config = EnterWorkflowConfig

    def sentence(self, config: EnterWorkflowConfig) -> str:
        return f"Send into the journey {phrases.quoted(config.workflow)}"

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        config: EnterWorkflowConfig = prepared
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, status FROM workflows WHERE slug = %s", [config.workflow])
            found = cursor.fetchone()
        if found is None or found[1] in ("draft", "archived"):  # since this workflow was published
            why = "no_workflow" if found is None else f"workflow_{found[1]}"
            return [Advance(detail={"skipped": why}) for _ in cohort.members]
        return [_one(cohort, member, config.workflow, found[0], now) for member in cohort.members]


def _one(cohort: Cohort, member: Member, slug: str, workflow_id: int, now: datetime) -> Outcome:
    via = hops.onward(member.trigger, cohort.workflow_slug)
    if via is None or slug in via:
        return Advance(detail={"skipped": "loop", "via": [*hops.via(member.trigger), cohort.workflow_slug]})
    trigger = {
        "type": "enter_workflow",
        "event_id": None,
        "occurred_at": now.isoformat(),
        "properties": member.trigger.get("properties", {}),
        **hops.kept(member.trigger),
        "via": via,
    }
    return Advance(effects=(Request(workflow_id, member.contact_id, cohort.lane, json.dumps(trigger)),))
