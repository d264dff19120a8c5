"""The kinds of steps there are."""

from __future__ import annotations

from workflows.steps.add_tag import AddTag
from workflows.steps.base import StepType
from workflows.steps.branch import Branch
from workflows.steps.call_webhook import CallWebhook
from workflows.steps.change_lifecycle_stage import ChangeLifecycleStage
from workflows.steps.emit_event import EmitEvent
from workflows.steps.enter_workflow import EnterWorkflow
from workflows.steps.exit import Exit
from workflows.steps.experiment import Experiment
from workflows.steps.goal import Goal
from workflows.steps.list_membership import AddToList, RemoveFromList
from workflows.steps.notify_sales import NotifySales
from workflows.steps.remove_tag import RemoveTag
from workflows.steps.send_message import SendEmail, SendPush, SendSms
from workflows.steps.update_contact import UpdateContact
from workflows.steps.wait import Wait
from workflows.steps.wait_for_condition import WaitForCondition
from workflows.steps.wait_for_event import WaitForEvent

_TYPES: dict[str, StepType] = {
    kind.key: kind()
    for kind in (
        SendEmail,
        SendSms,
        SendPush,
        Wait,
        WaitForEvent,
        WaitForCondition,
        Branch,
        Experiment,
        UpdateContact,
        AddTag,
        RemoveTag,
        AddToList,
        RemoveFromList,
        ChangeLifecycleStage,
        CallWebhook,
        NotifySales,
        EmitEvent,
        EnterWorkflow,
        Goal,
        Exit,
    )
}


def find(key: str) -> StepType | None:
    return _TYPES.get(key)


def keys() -> tuple[str, ...]:
    return tuple(_TYPES)
