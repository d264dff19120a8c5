"""The answer itself: of who entered, what was decided and on what; of who did not, the first gate that said no."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from contacts.conditions import explain
from contacts.conditions.tracing import told
from workflows import versions, wording
from workflows.models import Enrolment, EntryRefusal, JournalEntry, Workflow
from workflows.steps.branch import Prepared
from workflows.versions import CompiledVersion
from workflows.why.gates import Gate, stand

STEPS_SHOWN = 500
REFUSALS_SHOWN = 20


@dataclass(frozen=True)
class Why:
    """`answer`: one or two sentences. `gates`: in their order; of somebody who entered they go on with what each step
    decided and what became of each message. `refusals`: the newest first."""

    answer: str
    entered: bool
    gates: list[Gate]
    refusals: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def why(*, contact_id: int, workflow: Workflow, now: datetime) -> Why:
    """Why the contact is or was in the workflow, or why not. Of several ways through it, the last one."""
    refusals = list(
        EntryRefusal.objects.filter(contact_id=contact_id, workflow_id=workflow.pk).order_by("-id")[:REFUSALS_SHOWN]
    )
    listed = [{"at": each.refused_at.isoformat(), "reason": each.reason, "read": each.detail} for each in refusals]
    enrolment = Enrolment.objects.filter(contact_id=contact_id, workflow=workflow).order_by("-id").first()
    if enrolment is not None:
        version = versions.load([enrolment.version_id])[enrolment.version_id]
        gates = [*_entry(enrolment, version), *_steps(enrolment, version), *_messages(enrolment)]
        return Why(_story(enrolment, version), True, gates, listed)
    live = workflow.live_version_id
    version_now = versions.load([live])[live] if live is not None else None
    gates = list(stand(contact_id=contact_id, workflow=workflow, version=version_now, now=now))
    if refusals:
        return Why(
            _refused(refusals[0]), False, [*_until(gates, refusals[0]), _stored(refusals[0], version_now)], listed
        )
    return Why(_never(gates), False, gates, listed)


# -- who entered -------------------------------------------------------------------------------------------------------


def _entry(enrolment: Enrolment, version: CompiledVersion) -> Iterator[Gate]:
    trigger = enrolment.trigger or {}
    kind, at = trigger.get("type", ""), trigger.get("occurred_at", "")
    said = f"“{kind}” happened on {at[:16].replace('T', ' ')} UTC" if enrolment.entry_event_id else f"came in by {kind}"
    read = {"event_id": enrolment.entry_event_id, "occurred_at": at, "properties": trigger.get("properties", {})}
    yield Gate("event", True, read, said if kind else "the entry event was erased", "then")
    if version.where is not None:
        yield Gate("match", True, None, f"the trigger asks that {explain(version.where)}", "then")
    if version.audience is not None:
        yield Gate("audience", True, None, f"the audience is whoever meets: {explain(version.audience)}", "then")
    number = version.definition.entry.re_entry.policy.replace("_", " ")
    yield Gate("re_entry", True, enrolment.entry_key or None, f"re-entry: {number}", "then")
    entered = f"entered on {enrolment.entered_at:%Y-%m-%d %H:%M} UTC"
    yield Gate("entry", True, {"version": version.id, "lane": enrolment.lane}, entered, "then")


def _steps(enrolment: Enrolment, version: CompiledVersion) -> Iterator[Gate]:
    for row in JournalEntry.objects.filter(enrolment_id=enrolment.pk).order_by("seq")[:STEPS_SHOWN]:
        said = wording.journal(row.step_type, row.outcome, row.port, row.detail)
        yield Gate(f"step:{row.step}", row.outcome != "failed", _read(row, version), said, "then")
    if enrolment.state == "waiting":
        yield Gate(f"step:{enrolment.step}", False, None, f"waits until {enrolment.wake_at:%Y-%m-%d %H:%M} UTC")


def _read(row: JournalEntry, version: CompiledVersion) -> Any:
    """What a step read, in words where its questions are known."""
    values = row.detail.get("read")
    step = version.steps.get(row.step)
    if values is None or step is None:
        return row.detail or None
    if isinstance(step.prepared, Prepared):
        return told([condition for _, condition in step.prepared.arms], values)
    return values


def _messages(enrolment: Enrolment) -> Iterator[Gate]:
    """What the post office decided about what this enrolment asked it to send."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.step, s.state, s.reason, s.changed_at, m.public_id::text"
            " FROM messages m JOIN message_states s ON s.message_id = m.id WHERE m.enrolment_id = %s ORDER BY m.id",
            [enrolment.pk],
        )
        for step, state, reason, changed_at, public_id in cursor.fetchall():
            said = f"the message is {state.replace('_', ' ')}" + (f": {reason.replace('_', ' ')}" if reason else "")
            read = {"message": public_id, "state": state, "reason": reason, "at": changed_at.isoformat()}
            yield Gate(f"send:{step}", state in {"accepted", "queued", "sending"}, read, said, "then")


def _story(enrolment: Enrolment, version: CompiledVersion) -> str:
    trigger = enrolment.trigger or {}
    because = f" because “{trigger['type']}” happened" if trigger.get("type") and enrolment.entry_event_id else ""
    entered = f"The contact entered on {enrolment.entered_at:%Y-%m-%d %H:%M} UTC{because}"
    step = version.definition.steps.get(enrolment.step)
    where = (step.name if step and step.name else enrolment.step) or "the start"
    match enrolment.state:
        case "pending":
            return f"{entered}, and waits for a place."
        case "waiting":
            return f"{entered}, and waits at “{where}” until {enrolment.wake_at:%Y-%m-%d %H:%M} UTC."
        case "active":
            return f"{entered}, and is about to take the step “{where}”."
        case "completed":
            return f"{entered}, and came to the end."
        case "failed":
            return f"{entered}; the step “{where}” failed."
    return f"{entered}, and left at “{where}”: {wording.exit_reason(enrolment.exit_reason)}."


# -- who did not -------------------------------------------------------------------------------------------------------


def _refused(refusal: EntryRefusal) -> str:
    when = f"{refusal.refused_at:%Y-%m-%d %H:%M} UTC"
    return f"The contact did not enter: on {when} {wording.refusal(refusal.reason)}."


def _until(gates: list[Gate], refusal: EntryRefusal) -> Iterator[Gate]:
    """The gates before the one that intake stopped at, which passed then."""
    for gate in gates:
        if gate.gate == refusal.reason or not gate.passed:
            return
        yield gate


def _stored(refusal: EntryRefusal, version: CompiledVersion | None) -> Gate:
    values = refusal.detail.get("read") if isinstance(refusal.detail, dict) else None
    if values is not None and version is not None and version.audience is not None and version.id == refusal.version_id:
        values = told([version.audience], values)
    return Gate(refusal.reason, False, values or refusal.detail or None, wording.refusal(refusal.reason), "then")


def _never(gates: list[Gate]) -> str:
    last = gates[-1]
    if last.passed:
        return (
            "The contact never entered; as of now nothing would keep them out when the journey's trigger happens next."
        )
    return f"The contact never entered: as of now, {last.reason}{_values(last)}."


def _values(gate: Gate) -> str:
    """What was read, where it is short enough to be part of a sentence."""
    if not isinstance(gate.read, list) or len(gate.read) > 3:
        return ""
    said = ", ".join(f"{each['asked']}: {json.dumps(each['read'], ensure_ascii=False)}" for each in gate.read)
    return f" ({said})" if said else ""
