"""Marts as dbt leaves them, filled by hand: the columns that reports and views read, and a few rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from analytics.models import WarehouseRun
from analytics.reporting.views import VIEWS
from analytics.reports.register import reports
from tests import own_database

TYPES = {column: kind for view in VIEWS for column, (kind, _) in view.columns.items()}
TYPES |= {"share": "numeric", "amount": "numeric"}

FILLED: dict[str, Sequence[dict[str, Any]]] = {
    "funnel": [
        {"place": 1, "stage": "subscriber", "ever": 100, "here_now": 60, "went_on": 40},
        {"place": 3, "stage": "mql", "ever": 30, "here_now": 20, "went_on": 10},
        {"place": 2, "stage": "lead", "ever": 40, "here_now": 10, "went_on": 30},
    ],
    "time_in_stage": [
        {
            "stage": "lead", "entry_workflow": "trial", "stays": 12, "still_there": 2, "p25_days": 1, "median_days": 4,
            "p75_days": 9, "p90_days": 20, "mean_days": 6, "within_1_day": 2, "within_7_days": 5, "within_30_days": 3,
            "within_90_days": 0, "later": 0,
        },
        {"stage": "mql", "entry_workflow": None, "stays": 3, "still_there": 3},
    ],
    "time_to_stage": [
        {
            "entry_workflow": "trial", "stage": "mql", "contacts": 50, "reached": 20, "share": 0.4, "p25_days": 1,
            "median_days": 3.5, "p75_days": 8, "p90_days": 21, "mean_days": 5,
        },
        {"entry_workflow": None, "stage": "mql", "contacts": 100, "reached": 30, "share": 0.3, "median_days": 9},
        {"entry_workflow": "trial", "stage": "customer", "contacts": 50, "reached": 5, "share": 0.1, "median_days": 40},
    ],
    "attribution_by_touch": [
        {
            "month": month, "model": model, "kind": "revenue", "currency": "EUR", "touch_type": touch,
            "workflow": workflow, "conversions": conversions, "amount": amount,
        }
        for month in ("2026-01-01", "2026-02-01")
        for model, touch, workflow, conversions, amount in (
            ("position", "email", "trial", 3, 250),
            ("first", "email", "trial", 2, 200),
            ("first", "webinar", None, 1, 50),
            ("last", "email", "trial", 1, 80),
            ("last", "direct", None, 2, 170),
        )
    ],
    "revenue": [
        {"day": "2026-01-30", "currency": "EUR", "source": "order_completed", "sales": 2, "amount": 100.5},
        {"day": "2026-02-01", "currency": "EUR", "source": "deal_won", "sales": 1, "amount": 900},
        {"day": "2026-02-02", "currency": "USD", "source": "order_completed", "sales": 1, "amount": 70},
    ],
    "cohorts": [
        {"cohort": "2025-12-01", "months_later": 0, "contacts": 10, "active": 10, "converted": 1},
        {"cohort": "2025-12-01", "months_later": 1, "contacts": 10, "active": 4, "converted": 2},
        {"cohort": "2026-01-01", "months_later": 0, "contacts": 20, "active": 15, "converted": 0},
        {"cohort": "2023-01-01", "months_later": 0, "contacts": 5, "active": 5, "converted": 0},
    ],
    "retention": [{"cohort": "2025-12-01", "months_later": 1, "buyers": 4, "bought": 1}],
    "experiment_results": [
        {"experiment": "offer", "variant": "a", "assigned": 10, "settled": 8, "converted": 2, "median_hours": 5},
        {"experiment": "offer", "variant": "b", "assigned": 10, "settled": 0, "converted": 0, "median_hours": None},
    ],
    "pressure": [
        {"week": "2026-01-05", "received": 1, "contacts": 90, "held_back": 0, "opened": 30, "left_us": 0},
        {"week": "2026-01-12", "received": 1, "contacts": 10, "held_back": 0, "opened": 10, "left_us": 0},
        {"week": "2026-01-12", "received": 3, "contacts": 20, "held_back": 7, "opened": 5, "left_us": 2},
    ],
    "deliverability": [
        {
            "day": "2026-01-05", "channel": "email", "message_class": "marketing", "provider": "sendgrid",
            "sending_domain": "news.example", "mailbox_provider": "gmail", "messages": 100, "accepted": 90,
            "delivered": 80, "opened": 40, "clicked": 4, "hard_bounced": 6, "soft_bounced": 3, "bounced": 9,
            "complained": 1, "unsubscribed": 2,
        },
        {"day": "2026-01-06", "channel": "sms", "message_class": "marketing", "accepted": 5, "mailbox_provider": ""},
    ],
}  # fmt: skip


def columns_of(mart: str) -> list[str]:
    """Whatever a report or a view reads of it."""
    read = [name for report in reports() for name in report.reads.get(mart, ())]
    read += [name for view in VIEWS if view.mart == mart for name in view.columns]
    return list(dict.fromkeys(read))


def build(now: datetime) -> None:
    """As after a night's run, in the caller's transaction."""
    own_database.insist()
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA IF NOT EXISTS marts")
        for mart, rows in FILLED.items():
            columns = columns_of(mart)
            cursor.execute(f"DROP TABLE IF EXISTS marts.{mart} CASCADE")
            shapes = ", ".join(f"{name} {TYPES.get(name, 'bigint')}" for name in columns)
            cursor.execute(f"CREATE TABLE marts.{mart} ({shapes})")
            for row in rows:
                names = [name for name in row if name in columns]
                cursor.execute(
                    f"INSERT INTO marts.{mart} ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})",
                    [row[name] for name in names],
                )
    WarehouseRun.objects.create(
        kind="by_hand", state="finished", requested_at=now, started_at=now, finished_at=now, models_total=1
    )


def drop() -> None:
    own_database.insist()
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS marts CASCADE")
