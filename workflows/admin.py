"""The pages of the engine."""

from workflows import timeline
from workflows.pages import enrolments as admin_enrolments
from workflows.pages import failures as admin_failures
from workflows.pages import journeys as admin_journeys
from workflows.pages import panels as admin_panels
from workflows.pages import sales as admin_sales

__all__ = ["admin_enrolments", "admin_failures", "admin_journeys", "admin_panels", "admin_sales", "timeline"]
