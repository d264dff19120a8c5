"""The pages of the judge."""

from scoring.lifecycle import timeline
from scoring.pages import lifecycle, rulesets, score_card

__all__ = ["lifecycle", "rulesets", "score_card", "timeline"]
