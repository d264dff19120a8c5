"""The kinds of triggers there are, as one type that reads any of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from workflows.triggers.api import Api
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
