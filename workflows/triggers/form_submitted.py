"""A contact submits a form: an event of type `form_submitted` with the property `form`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from workflows.definition import phrases
from workflows.definition.shown import Shown
from workflows.definition.strict import Name
from workflows.triggers.base import TriggerType, property_is


class FormSubmitted(TriggerType):
    type: Literal["form_submitted"]
    label: ClassVar = "Form submitted"
    form: Annotated[Name, Shown("Form", help="The form’s name, as your website sends it.")]

    def event_type(self) -> str:
        return "form_submitted"

    def filter(self) -> dict[str, Any]:
        return property_is("form", self.form)

    def standing(self) -> dict[str, Any]:
        return {"event": "form_submitted", "where": self.filter()}

    def sentence(self) -> str:
        return f"The form {phrases.quoted(self.form)} is submitted"
