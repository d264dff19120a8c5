"""Rates as people read them, for the templates of the post office's pages."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from contacts.pages.cells import pill
from delivery import providers

register = template.Library()


@register.filter
def provider(name: str) -> str:
    """`sendgrid` -> `SendGrid`."""
    return providers.title(name) if name else ""


@register.filter
def percent(rate: object, digits: int = 1) -> str:
    """`0.982` -> `98.2%`; nothing for what is no number."""
    if not isinstance(rate, int | float):
        return ""
    return f"{100 * rate:.{int(digits)}f}%"


@register.simple_tag
def rate(value: float, verdict: str, digits: int) -> SafeString | str:
    """A rate that stands out only where it is too high."""
    said = percent(value, digits)
    return pill(said, verdict) if verdict in {"warn", "bad"} else said


@register.filter
def seconds(value: float) -> str:
    """`75` -> `1 min 15 s`."""
    whole = int(value)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


ICONS = {"good": "check", "warn": "priority_high", "bad": "close", "unknown": "question_mark"}
VERDICTS = {"good": "Good", "warn": "Could be better", "bad": "Needs mending", "unknown": "Not known"}


@register.simple_tag
def icon_of(verdict: str) -> str:
    return ICONS.get(verdict, "question_mark")


@register.simple_tag
def verdict_words(verdict: str) -> str:
    return VERDICTS.get(verdict, verdict)
