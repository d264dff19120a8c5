"""Leave the workflow here, with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from workflows.definition import phrases
from workflows.definition.shown import Shown
from workflows.definition.strict import Strict
from workflows.steps.base import Cohort, Leave, Outcome, StepType


class ExitConfig(Strict):
    reason: Annotated[
        str,
        Field(pattern=r"^[a-z0-9_]{1,60}$"),
        Shown("Reason", help="A word in small letters, such as not_interested. Results count exits by it."),
    ] = "completed"


class Exit(StepType):
    key = "exit"
    label = "Exit"
    group, icon = "logic", "logout"
    hint = "Leave the journey here"
    Config = ExitConfig

    def ports(self, config: ExitConfig) -> tuple[str, ...]:
        return ()

    def rough_ports(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        return ()

    def sentence(self, config: ExitConfig) -> str:
        return f"Leave the journey with the reason {phrases.quoted(config.reason)}"

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        config: ExitConfig = prepared
        return [Leave(reason=config.reason) for _ in cohort.members]
