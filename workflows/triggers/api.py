"""People enter because another system asks for it: `POST /api/v1/workflows/{slug}/enrol`."""

from __future__ import annotations

from typing import ClassVar, Literal

from workflows.triggers.base import TriggerType


class Api(TriggerType):
    type: Literal["api"]
    label: ClassVar = "Added by another system"

    def event_type(self) -> None:
        return None

    def sentence(self) -> str:
        return "Another system adds the contact"
