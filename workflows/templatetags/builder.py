"""What the builder's templates need."""

from __future__ import annotations

import json
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from workflows.builder.forms.control import ABSENT, Field

register = template.Library()


@register.simple_tag
def control(field: Field) -> SafeString:
    """The control of a field, with its value."""
    place = f"admin/workflows/builder/controls/{field.control.template}"
    value = "" if field.value is ABSENT or field.value is None else field.value
    return render_to_string(place, {"field": field, "value": value, **field.control.context(field)})


@register.filter
def at(of: Any, key: Any) -> Any:
    """What stands under a key; empty where nothing does."""
    return of.get(key, "") if of else ""


@register.filter
def as_json(value: Any) -> str:
    return json.dumps(value)
