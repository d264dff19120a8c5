"""Values as people read them, and as they stand in files."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from analytics.reports.report import DATE, DAYS, HOURS, INTEGER, JOURNEY, MONTH, STAGE, WORDS, Column
from scoring.lifecycle import labels
from workflows import called


def shown(column: Column, value: Any) -> str:
    """For pages and mails."""
    if value is None:
        return column.nothing
    match column.kind:
        case "stage" | "journey":
            return word(column.kind, str(value))
        case "share":
            return f"{100 * float(value):,.1f}%"
        case "integer":
            return f"{int(value):,}"
        case "money":
            return f"{float(value):,.2f}"
        case "days" | "hours":
            return f"{float(value):,.1f}"
        case "number":
            return f"{float(value):,.2f}".rstrip("0").rstrip(".")
        case "date":
            return f"{value:%-d %b %Y}"
        case "month":
            return f"{value:%b %Y}"
    return str(value)


def word(kind: str, value: str) -> str:
    """What people call the stage or the journey that is named so; any other text is its own word."""
    if kind == STAGE:
        return labels.label(value)
    return called.name(value) if kind == JOURNEY else value


def heading(column: Column) -> str:
    """A label that says the unit where the values do not."""
    return f"{column.label}, {column.unit}" if column.kind in (DAYS, HOURS) else column.label


def plain(column: Column, value: Any) -> str:
    """For a cell of a text file: numbers bare, days in ISO 8601, nothing as nothing."""
    if value is None:
        return ""
    if column.kind in (DATE, MONTH) and isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)


def number(column: Column, value: Any) -> int | float | str | None:
    """For JSON: numbers as numbers."""
    if value is None or column.kind in WORDS:
        return None if value is None else str(value)
    if column.kind in (DATE, MONTH):
        return str(value.isoformat())
    return int(value) if column.kind == INTEGER else float(value)
