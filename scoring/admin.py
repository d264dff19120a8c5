"""The pages of the judge."""

from scoring import admin_lifecycle, admin_rules, timeline

__all__ = ["admin_lifecycle", "admin_rules", "timeline"]
