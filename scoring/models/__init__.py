"""The judge's tables: rules as data, crossings as facts, lifecycle as a log. A score itself is never stored."""

from scoring.models.backtests import Backtest, BacktestContact
from scoring.models.crossings import ScoreCheck, ScoreCrossing, ScoreSide, ScoreThreshold
from scoring.models.lifecycle import CurrentStage, LifecycleEvent, ProgressionRule, ProgressionRun, StageLabel
from scoring.models.rulesets import Ruleset, ScoringRule

__all__ = [
    "Backtest",
    "BacktestContact",
    "CurrentStage",
    "LifecycleEvent",
    "ProgressionRule",
    "ProgressionRun",
    "Ruleset",
    "ScoreCheck",
    "ScoreCrossing",
    "ScoreSide",
    "ScoreThreshold",
    "ScoringRule",
    "StageLabel",
]
