"""The pages of the engine."""

from workflows import admin_enrolments, admin_failures, admin_journeys, admin_panels, admin_sales, timeline

__all__ = ["admin_enrolments", "admin_failures", "admin_journeys", "admin_panels", "admin_sales", "timeline"]
