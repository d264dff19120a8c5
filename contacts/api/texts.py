"""Texts as they are sent in JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class _OnlyText:
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")  # type: ignore[attr-defined]
        return str(super().to_internal_value(data))  # type: ignore[misc]


class Text(_OnlyText, serializers.CharField):
    """The framework would take a number for a text; the document says that it is none."""


class Slug(_OnlyText, serializers.SlugField):
    """As Text."""
