"""The kinds of steps there are."""

from __future__ import annotations

from workflows.steps.add_tag import AddTag
from workflows.steps.base import StepType
from workflows.steps.branch import Branch
from workflows.steps.change_lifecycle_stage import ChangeLifecycleStage
from workflows.steps.exit import Exit
from workflows.steps.list_membership import AddToList, RemoveFromList
from workflows.steps.remove_tag import RemoveTag
from workflows.steps.send_email import SendEmail
from workflows.steps.wait import Wait

_TYPES: dict[str, StepType] = {
    kind.key: kind()
    for kind in (
        SendEmail,
        Wait,
        Branch,
        AddTag,
        RemoveTag,
        AddToList,
        RemoveFromList,
        ChangeLifecycleStage,
        Exit,
    )
}


def find(key: str) -> StepType | None:
    return _TYPES.get(key)


def keys() -> tuple[str, ...]:
    return tuple(_TYPES)
