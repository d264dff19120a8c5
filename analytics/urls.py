from django.urls import re_path

from analytics.api import counters, experiment_results, experiments, reports
from analytics.health import metrics
from analytics.pages import report_stop
from workflows.urls import SLUG

urlpatterns = [
    re_path(r"^metrics/?$", metrics.metrics, name="metrics"),
    re_path(rf"^api/v1/workflows/{SLUG}/counters/?$", counters.Counters.as_view(), name="workflow-counters"),
    re_path(r"^api/v1/experiments/?$", experiments.ExperimentList.as_view(), name="experiments"),
    re_path(rf"^api/v1/experiments/{SLUG}/?$", experiments.ExperimentDetail.as_view(), name="experiment"),
    re_path(
        rf"^api/v1/experiments/{SLUG}/results/?$",
        experiment_results.ExperimentResults.as_view(),
        name="experiment-results",
    ),
    re_path(
        rf"^api/v1/experiments/{SLUG}/roll-out/?$", experiments.ExperimentRollOut.as_view(), name="experiment-roll-out"
    ),
    re_path(
        rf"^api/v1/experiments/{SLUG}/decide/?$", experiments.ExperimentDecision.as_view(), name="experiment-decide"
    ),
    re_path(r"^api/v1/reports/?$", reports.ReportList.as_view(), name="reports"),
    re_path(rf"^api/v1/reports/{SLUG}\.(?P<kind>csv|parquet)/?$", reports.ReportFile.as_view(), name="report-file"),
    re_path(rf"^api/v1/reports/{SLUG}/?$", reports.ReportDetail.as_view(), name="report"),
    re_path(r"^reports/(?P<public_id>[0-9a-f-]{36})/stop/?$", report_stop.stop, name="report-stop"),
]
