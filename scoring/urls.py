"""The judge's routes; a trailing slash is taken and omitted alike."""

from django.urls import URLPattern, re_path

from contacts.urls import UUID
from scoring.api import lifecycle, rulesets, scores

urlpatterns: list[URLPattern] = [
    re_path(rf"^api/v1/contacts/{UUID}/score/?$", scores.Score.as_view(), name="contact-score"),
    re_path(rf"^api/v1/contacts/{UUID}/lifecycle/?$", lifecycle.Lifecycle.as_view(), name="contact-lifecycle"),
    re_path(r"^api/v1/scoring/rulesets/?$", rulesets.RulesetList.as_view(), name="scoring-rulesets"),
    re_path(r"^api/v1/scoring/rules/?$", rulesets.ActiveRules.as_view(), name="scoring-rules"),
]
