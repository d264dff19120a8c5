"""The judge's routes; a trailing slash is taken and omitted alike."""

from django.urls import URLPattern, re_path

from contacts.urls import UUID
from scoring import api

urlpatterns: list[URLPattern] = [
    re_path(rf"^api/v1/contacts/{UUID}/score/?$", api.Score.as_view(), name="contact-score"),
    re_path(rf"^api/v1/contacts/{UUID}/lifecycle/?$", api.Lifecycle.as_view(), name="contact-lifecycle"),
    re_path(r"^api/v1/scoring/rulesets/?$", api.RulesetList.as_view(), name="scoring-rulesets"),
    re_path(r"^api/v1/scoring/rules/?$", api.ActiveRules.as_view(), name="scoring-rules"),
]
