"""The pages of the engine."""

from workflows import admin_enrolments, admin_journeys, admin_panels, timeline

__all__ = ["admin_enrolments", "admin_journeys", "admin_panels", "timeline"]
