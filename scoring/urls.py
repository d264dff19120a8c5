"""The judge's routes; a trailing slash is taken and omitted alike."""

from django.urls import URLPattern, re_path

from contacts.urls import UUID
from scoring.api import backtests, leaderboard, lifecycle, rules, rulesets, scores

VERSION = r"(?P<pk>[0-9]{1,20})"  # of a score

urlpatterns: list[URLPattern] = [
    re_path(rf"^api/v1/contacts/{UUID}/score/?$", scores.Score.as_view(), name="contact-score"),
    re_path(rf"^api/v1/contacts/{UUID}/score/history/?$", scores.ScoreHistory.as_view(), name="contact-score-history"),
    re_path(rf"^api/v1/contacts/{UUID}/lifecycle/?$", lifecycle.Lifecycle.as_view(), name="contact-lifecycle"),
    re_path(r"^api/v1/scoring/rulesets/?$", rulesets.RulesetList.as_view(), name="scoring-rulesets"),
    re_path(rf"^api/v1/scoring/rulesets/{VERSION}/?$", rulesets.RulesetDetail.as_view(), name="scoring-ruleset"),
    re_path(rf"^api/v1/scoring/rulesets/{VERSION}/activate/?$", rulesets.Activate.as_view(), name="scoring-activate"),
    re_path(rf"^api/v1/scoring/rulesets/{VERSION}/draft/?$", rulesets.Draft.as_view(), name="scoring-draft"),
    re_path(rf"^api/v1/scoring/rulesets/{VERSION}/diff/?$", rulesets.Diff.as_view(), name="scoring-diff"),
    re_path(r"^api/v1/scoring/rules/?$", rules.ActiveRules.as_view(), name="scoring-rules"),
    re_path(r"^api/v1/scoring/leaderboard/?$", leaderboard.Leaderboard.as_view(), name="scoring-leaderboard"),
    re_path(r"^api/v1/scoring/backtests/?$", backtests.BacktestList.as_view(), name="scoring-backtests"),
    re_path(r"^api/v1/scoring/backtests/(?P<pk>[0-9]{1,20})/?$", backtests.BacktestDetail.as_view(), name="backtest"),
    re_path(
        r"^api/v1/scoring/backtests/(?P<pk>[0-9]{1,20})/cancel/?$", backtests.Cancel.as_view(), name="backtest-cancel"
    ),
]
