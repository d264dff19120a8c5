"""The cells of `contacts.pages.cells`, for the templates of our own admin pages."""

from __future__ import annotations

import json
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from contacts import personal
from contacts.pages import cells

register = template.Library()

SHORT = 70  # characters of JSON that still read well in a line of text

register.simple_tag(cells.moment)
register.simple_tag(cells.pill)
register.simple_tag(cells.pretty_json)
register.filter("words", cells.words)
register.filter("address", personal.address)


@register.simple_tag
def state(name: str) -> SafeString:
    return cells.state_pill(name)


@register.simple_tag
def attribute(value: Any, called: str = "") -> SafeString:
    """A stored value as people read it: text as it is, nothing as a dash, structures as JSON. What is personal in it,
    or is by what it is `called`, is masked for who may not see it."""
    value = personal.facts(value, called)
    if value is None or value == "":
        return cells.NOTHING
    if isinstance(value, list | dict):
        short = json.dumps(value, ensure_ascii=False)
        if len(short) <= SHORT:
            return format_html('<code class="cl-code">{}</code>', short)
        return cells.pretty_json(value)
    return format_html("{}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


@register.simple_tag
def tone(name: str) -> str:
    """The tone of a state, as the end of a class name."""
    return cells.TONES.get(name, "plain")


@register.simple_tag
def compact(value: Any) -> str:
    return json.dumps(personal.facts(value), ensure_ascii=False, default=str)
