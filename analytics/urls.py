from django.urls import re_path

from analytics import metrics

urlpatterns = [re_path(r"^metrics/?$", metrics.metrics, name="metrics")]
