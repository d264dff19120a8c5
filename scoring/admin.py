"""The pages of the judge."""

from scoring.lifecycle import timeline
from scoring.pages import backtests, labels, leaderboard, lifecycle, progression, rulesets, score_card, timeline_marks

__all__ = [
    "backtests",
    "labels",
    "leaderboard",
    "lifecycle",
    "progression",
    "rulesets",
    "score_card",
    "timeline",
    "timeline_marks",
]
