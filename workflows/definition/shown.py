"""How a setting is shown to people who fill it in. Stands in the annotation of a pydantic field, so that a form and the
published schema are made of the same words:

    at: Annotated[str | None, Field(pattern=CLOCK), Shown("Time of day", control="clock")]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class Shown:
    """`control`: the key of one of `workflows.builder.forms.controls`. `when`: only where these other settings have one
    of those values. `choices`: what a value is called, where it is one of several; the empty one where none need be
    chosen. `scope`: what a condition may ask about beside the contact (`event`, `trigger`). `channel`: which templates
    are offered."""

    label: str
    control: str = "text"
    help: str = ""
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)
    scope: frozenset[str] = frozenset()
    channel: str = ""


def shown(info: FieldInfo, name: str) -> Shown:
    """How a field is shown; by its name alone where nothing was said."""
    said = next((each for each in info.metadata if isinstance(each, Shown)), None)
    return said or Shown(label=name.rstrip("_").replace("_", " ").capitalize())


def fields(model: type[BaseModel]) -> dict[str, tuple[FieldInfo, Shown]]:
    """The settings of a model under their names in a definition, in their order."""
    return {info.alias or name: (info, shown(info, name)) for name, info in model.model_fields.items()}


def as_given(value: BaseModel) -> dict[str, Any]:
    """Settings as they stand in a definition: without what is left at its default."""
    return value.model_dump(by_alias=True, exclude_defaults=True)
