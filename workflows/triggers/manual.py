"""People enter because somebody adds them by hand."""

from __future__ import annotations

from typing import ClassVar, Literal

from workflows.triggers.base import TriggerType


class Manual(TriggerType):
    type: Literal["manual"]
    label: ClassVar = "Added by hand"

    def event_type(self) -> None:
        return None

    def sentence(self) -> str:
        return "Somebody adds the contact by hand"
