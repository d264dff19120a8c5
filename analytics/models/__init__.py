"""The observatory's tables. What it counts can be counted again from the facts of the floors below."""

from analytics.models.counting import (
    Counter,
    CounterCheck,
    CounterDay,
    CounterDelta,
    CounterMonth,
    Latency,
    LatencyDelta,
)
from analytics.models.experiments import Experiment, ExperimentOutcome
from analytics.models.health import Alert, AlertCall, AlertWatch, FactCursor, ProviderAnswer
from analytics.models.warehouse import ReportSubscription, WarehouseRun

__all__ = [
    "Alert",
    "AlertCall",
    "AlertWatch",
    "Counter",
    "CounterCheck",
    "CounterDay",
    "CounterDelta",
    "CounterMonth",
    "Experiment",
    "ExperimentOutcome",
    "FactCursor",
    "Latency",
    "LatencyDelta",
    "ProviderAnswer",
    "ReportSubscription",
    "WarehouseRun",
]
