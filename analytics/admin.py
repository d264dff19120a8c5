"""What counting adds to the pages of the floors below: the numbers of the journeys."""

from analytics.counting import counters
from analytics.pages import (  # noqa: F401  (registers their pages)
    alerts,
    experiments,
    freezes,
    queue_health,
    reports,
    warehouse,
    workflow_dashboard,
)
from workflows import figures

figures.register(counters.figures, counters.figures_of_versions)
