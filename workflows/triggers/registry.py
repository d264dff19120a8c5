"""The kinds of triggers there are, as one type that reads any of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, get_args

from pydantic import Field

from workflows.triggers.api import Api
from workflows.triggers.base import TriggerType
from workflows.triggers.date import Date
from workflows.triggers.event import Event
from workflows.triggers.form_submitted import FormSubmitted
from workflows.triggers.lifecycle_changed import LifecycleChanged
from workflows.triggers.list_joined import ListJoined
from workflows.triggers.manual import Manual
from workflows.triggers.schedule import Schedule
from workflows.triggers.score_crossed import ScoreCrossed
from workflows.triggers.segment import SegmentEntered, SegmentLeft
from workflows.triggers.tag_added import TagAdded

Trigger = Annotated[
    Event
    | TagAdded
    | ListJoined
    | SegmentEntered
    | SegmentLeft
    | ScoreCrossed
    | LifecycleChanged
    | FormSubmitted
    | Date
    | Schedule
    | Manual
    | Api,
    Field(discriminator="type"),
]

_KINDS: Mapping[str, type[TriggerType]] = {
    get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(get_args(Trigger)[0])
}


def keys() -> tuple[str, ...]:
    return tuple(_KINDS)


def find(key: str) -> type[TriggerType] | None:
    return _KINDS.get(key)
