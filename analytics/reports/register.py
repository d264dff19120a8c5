"""Which reports there are, in the order in which people read them."""

from __future__ import annotations

from analytics.reports.described import (
    attribution,
    cohorts,
    deliverability,
    experiments,
    funnel,
    pressure,
    revenue,
    time_in_stage,
    time_to_mql,
)
from analytics.reports.report import Report

_ALL = (
    funnel.REPORT,
    time_in_stage.REPORT,
    time_to_mql.REPORT,
    attribution.REPORT,
    revenue.REPORT,
    cohorts.REPORT,
    experiments.REPORT,
    pressure.REPORT,
    deliverability.REPORT,
)


def reports() -> tuple[Report, ...]:
    return _ALL


def named(slug: str) -> Report | None:
    return next((report for report in _ALL if report.slug == slug), None)
