"""What every part of a definition is made of (pydantic)."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"  # a local time
KEY = r"^[A-Za-z0-9_-]{1,60}$"  # of a step, an arm, a variant
SLUG = r"^[a-z0-9][a-z0-9_-]{0,99}$"
WORKFLOW_SLUG = r"^[a-z0-9][a-z0-9-]{0,99}$"
Name = Annotated[str, Field(min_length=1, max_length=200)]
Slug = Annotated[str, Field(pattern=SLUG)]


class Strict(BaseModel):
    """Unknown keys are mistakes, not extensions."""

    model_config = ConfigDict(extra="forbid", frozen=True)
