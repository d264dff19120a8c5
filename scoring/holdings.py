"""What the judge holds of a person."""

from __future__ import annotations

from contacts.holdings import DROP, KEEP, Holding, register


def declare() -> None:
    """Called once, when the app is ready."""
    register(
        Holding("score_checks", "Scores to compare", ("check_at",), erase=None, merge=DROP, key="contact_id"),
        Holding("score_sides", "Sides of thresholds", ("score_name", "threshold", "above"), erase=None, merge=DROP),
        Holding(
            "score_crossings",
            "Crossings of thresholds",
            ("score_name", "threshold", "upward", "score", "crossed_at"),
            erase=KEEP,
            once=("score_name", "threshold", "seq"),
            append_only=True,
        ),
        Holding(
            "scoring_backtest_contacts",
            "Trials of scoring rules",
            ("crossed_at", "converted_at", "best"),
            erase=None,
            merge=DROP,
        ),
        Holding(
            "lifecycle_events",
            "Lifecycle",
            ("from_stage", "to_stage", "reason", "source", "actor", "occurred_at"),
            erase={"reason": "''"},  # people write reasons by hand
            append_only=True,
        ),
        # derived from the log by triggers on it: merged with it, and an erased person is in no stage. After the log:
        # blanking that derives this anew
        Holding("lifecycle_current", "Lifecycle stage", ("stage", "since"), erase=None, merge=DROP, key="contact_id"),
    )
