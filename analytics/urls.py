from django.urls import re_path

from analytics import api, metrics
from workflows.urls import SLUG

urlpatterns = [
    re_path(r"^metrics/?$", metrics.metrics, name="metrics"),
    re_path(rf"^api/v1/workflows/{SLUG}/counters/?$", api.Counters.as_view(), name="workflow-counters"),
]
