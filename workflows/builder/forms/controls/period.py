"""How long, counted from a day: months and years are known there."""

from __future__ import annotations

from workflows.builder.forms.controls.duration import Duration


class Period(Duration):
    key = "period"
    units = ("minutes", "hours", "days", "weeks", "months", "years")
