"""A condition: rows to fill in where a script runs, JSON where none does, and its sentence for those who only read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from contacts.conditions.grammar import CONTACT
from workflows.builder.forms.control import ABSENT, Control, Field, nothing
from workflows.builder.forms.controls.json import understood
from workflows.definition import phrases


class Condition(Control):
    key = "condition"
    template = "condition.html"
    frame = "group"

    def fits(self, value: Any) -> bool:
        return nothing(value) or isinstance(value, dict)

    def context(self, field: Field) -> Mapping[str, Any]:
        said = not nothing(field.value)
        return {
            "text": json.dumps(field.value, ensure_ascii=False, indent=2) if said else "",
            "sentence": phrases.condition(field.value) if said else "",
            "scope": " ".join(sorted(CONTACT | field.shown.scope)),
            "explain": reverse("admin:contacts_condition_explain"),
        }

    def read(self, data: QueryDict, name: str) -> Any:
        text = data.get(name, "").strip()
        return understood(text) if text else ABSENT
